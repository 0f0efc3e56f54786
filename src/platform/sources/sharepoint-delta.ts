import { KuraError } from '../../core/errors.ts'

/** An item of a drive, as far as it is looked at. */
export type DriveItem = {
  id: string
  name: string
  size?: number
  file?: { mimeType?: string }
  folder?: object
  root?: object
  deleted?: object
  parentReference?: { id?: string }
  lastModifiedDateTime?: string
  createdDateTime?: string
  cTag?: string
  eTag?: string
  webUrl?: string
}

/** Folders that are remembered, and items that wait for theirs; a peer may invent them without end. */
const REMEMBERED_MAX = 1_000_000
/** Folders above one item; a circle would have no end. */
const DEPTH_MAX = 64

type Placed = { item: DriveItem; path: string }

/**
 * Paths of the items of a delta, which names no paths: each item knows its folder, and folders may
 * come after what is in them. Throws `source_listing_endless`.
 */
export class DeltaPaths {
  readonly #folders = new Map<string, { name: string; parent: string | undefined }>()
  readonly #waiting: DriveItem[] = []

  /** What can be placed now, of this item. */
  place(item: DriveItem): Placed[] {
    if (item.deleted) return []
    if (item.root || item.folder) {
      this.#folders.set(item.id, {
        name: item.name,
        parent: item.root ? undefined : item.parentReference?.id,
      })
      this.#bound(this.#folders.size)
      return []
    }
    if (!item.file) return []
    const path = this.#pathOf(item)
    if (path !== null) return [{ item, path }]
    this.#bound(this.#waiting.push(item))
    return []
  }

  /** What waited for its folder; an item whose folder never came cannot be seen by the account, and is left out. */
  rest(): Placed[] {
    return this.#waiting.flatMap((item) => {
      const path = this.#pathOf(item)
      return path === null ? [] : [{ item, path }]
    })
  }

  #pathOf({ name, parentReference }: DriveItem): string | null {
    const segments = [name]
    for (let id = parentReference?.id; id !== undefined; ) {
      const folder = this.#folders.get(id)
      if (!folder || segments.length > DEPTH_MAX) return null
      if (folder.parent === undefined) return segments.reverse().join('/')
      segments.push(folder.name)
      id = folder.parent
    }
    return null
  }

  #bound(count: number): void {
    if (count > REMEMBERED_MAX) throw new KuraError('source_listing_endless', { limit: REMEMBERED_MAX })
  }
}

import { KuraError } from '../../core/errors.ts'
import type { SourceItem } from './source-provider.ts'

/** Deeper folders are reported as faults: a listing must end. */
const DEPTH_MAX = 64
/** Folders that wait to be listed; each is remembered, and a peer may invent them without end. */
const WAITING_MAX = 200_000
/** Folders of one listing. */
const FOLDERS_MAX = 1_000_000

/** What a folder holds: items as they are, and folders that the walk lists next. */
export type TreeChild<T> = { item: SourceItem } | { folder: T; source_id: string; path: string }

type Folder<T> = { folder: T; source_id: string; path: string; depth: number }

/**
 * Every item below a folder, folder by folder. A sub-folder that has vanished since is left out, one
 * that may not be read becomes a fault; what fails otherwise ends the walk. Throws `source_listing_endless`.
 */
export async function* walkTree<T>(
  root: T,
  { signal }: { signal: AbortSignal },
  childrenOf: (folder: T, path: string) => AsyncIterable<TreeChild<T>>,
): AsyncGenerator<SourceItem> {
  const waiting: Folder<T>[] = [{ folder: root, source_id: '', path: '', depth: 0 }]
  let folders = 0
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (++folders > FOLDERS_MAX) throw new KuraError('source_listing_endless', { limit: FOLDERS_MAX })
    const { depth, path, source_id } = next
    try {
      for await (const child of childrenOf(next.folder, path)) {
        signal.throwIfAborted()
        if ('item' in child) yield child.item
        else if (depth === DEPTH_MAX) yield faultOf(child, `folders are nested deeper than ${DEPTH_MAX}`)
        else if (waiting.push({ ...child, depth: depth + 1 }) > WAITING_MAX)
          throw new KuraError('source_listing_endless', { limit: WAITING_MAX })
      }
    } catch (error) {
      const code = depth > 0 && error instanceof KuraError ? error.code : ''
      if (code === 'source_item_unreadable') yield faultOf({ source_id, path }, 'the folder cannot be read')
      else if (code !== 'source_item_gone') throw error
    }
  }
}

export const faultOf = (
  { source_id, path }: { source_id: string; path: string },
  reason: string,
): SourceItem => ({
  kind: 'fault',
  source_id,
  path,
  error: new KuraError('source_item_unreadable', { reason }),
})

/** Segments of a path; those that lead upwards and NUL are refused rather than resolved. */
export function segmentsOf(path: string): { segments: string[]; error: string | null } {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.')
  if (path.includes('\0')) return { segments: [], error: 'A path may not hold NUL.' }
  if (segments.includes('..')) return { segments: [], error: 'A path may not lead upwards (..).' }
  return { segments, error: null }
}

import { parseFileAddress } from '../../../core/file-address.ts'
import { sha256 } from '../../../core/ids.ts'
import { isObject, type JsonValue } from '../../../core/json.ts'

/** Ids that a clone gets anew: their characters after the prefix, as `newId` makes them. */
const FORMS: Record<string, { length: number; is_hex: boolean }> = {
  bkt: { length: 12, is_hex: false },
  obj: { length: 12, is_hex: false },
  blob: { length: 12, is_hex: false },
  col: { length: 10, is_hex: false },
  file: { length: 20, is_hex: false },
  doc: { length: 24, is_hex: true },
  gen: { length: 24, is_hex: true },
  ret: { length: 14, is_hex: true },
}

const ID = /^(bkt|obj|blob|col|file|doc|gen|ret)_[\w-]+$/
const FILE_ADDRESS = /kura:\/\/files\/file_[a-z0-9]+/g

/**
 * The new ids of a clone. They follow from the old id and the namespace, so no table of them is
 * needed, and a reference is mapped like the id itself, wherever the two meet. Ids in forms that
 * users chose themselves (documents may have them) stay: they are unique within a namespace.
 */
export class CloneIds {
  readonly #namespace_id: string
  readonly #known: ReadonlySet<string>

  /** `known`: ids that are replaced wherever they stand in a configuration. */
  constructor(namespace_id: string, known: ReadonlySet<string> = new Set()) {
    this.#namespace_id = namespace_id
    this.#known = known
  }

  /** The new form of what is certainly an id. */
  of(id: string): string {
    const form = FORMS[ID.exec(id)?.[1] ?? '']
    if (!form) return id
    const digest = sha256(`${this.#namespace_id}/${id}`)
    const text = form.is_hex
      ? digest.slice(0, form.length)
      : BigInt(`0x${digest}`).toString(36).slice(-form.length)
    return `${id.slice(0, id.indexOf('_') + 1)}${text}`
  }

  ofNullable(id: string | null): string | null {
    return id === null ? null : this.of(id)
  }

  /** A row key begins with the id of what the row was made from. */
  ofRowKey(key: string, sources: readonly (string | null)[]): string {
    const source = sources.find((id) => id !== null && key.startsWith(id))
    return source ? this.of(source) + key.slice(source.length) : key
  }

  /** JSON text in which the addresses of files are those of the clone; other text is data of the user. */
  addresses(json: string): string {
    return json.replace(FILE_ADDRESS, (address) => {
      const file_id = parseFileAddress(address)!
      return address.slice(0, -file_id.length) + this.of(file_id)
    })
  }

  /** JSON text of a configuration with the known ids replaced, as values and as names of members. */
  configuration<T extends string | null>(json: T): T {
    return (json === null ? null : JSON.stringify(this.#replaced(JSON.parse(json)))) as T
  }

  #replaced(value: JsonValue): JsonValue {
    if (typeof value === 'string') return this.#known.has(value) ? this.of(value) : value
    if (Array.isArray(value)) return value.map((item) => this.#replaced(item))
    if (!isObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        this.#known.has(name) ? this.of(name) : name,
        this.#replaced(member as JsonValue),
      ]),
    )
  }

  /** `_internal` of a document: all ids of its lineage are replaced, in paths too. */
  internal(json: string): string {
    const { lineage, source_details, ...rest } = JSON.parse(json) as Record<string, JsonValue>
    return this.addresses(
      JSON.stringify({
        ...rest,
        ...(lineage !== undefined && { lineage: this.#lineage(lineage) }),
        ...(source_details !== undefined && { source_details: this.#lineage(source_details) }),
      }),
    )
  }

  #lineage(value: JsonValue): JsonValue {
    if (typeof value === 'string')
      return value
        .split('/')
        .map((id) => this.of(id))
        .join('/')
    if (Array.isArray(value)) return value.map((item) => this.#lineage(item))
    if (!isObject(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        name,
        // A name may look like an id, yet it stays what the user called the collection.
        name === 'collection_name' ? (member as JsonValue) : this.#lineage(member as JsonValue),
      ]),
    )
  }
}

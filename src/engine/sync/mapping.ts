import { type BucketSchema, isFileType } from '../../core/bucket-schema.ts'
import { KuraError, type Violation } from '../../core/errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { SourceContent, SourceItem } from '../../platform/sources/source-provider.ts'
import { compilePattern } from './safe-pattern.ts'
import type { MappingEntry, MappingSource, SchemaMapping } from './settings.ts'

export type MappedItem = {
  fields: JsonObject
  blobs: { property: string; data: JsonValue }[]
  /** Where the file of the item goes; null property: wherever it fits. Null: the file is not wanted. */
  file: { property: string | null; mime_type: string | null } | null
}

/** Members that a source of each type must have. */
const NEEDED: Partial<Record<MappingSource['type'], keyof MappingSource>> = {
  tag: 'key',
  metadata: 'key',
  drive_property: 'key',
  filename_regex: 'pattern',
  column: 'name',
  rss_field: 'field',
}

/** What is wrong with a mapping, against the schema of its bucket. */
export function checkMapping(schema: BucketSchema | null, { mappings }: SchemaMapping): Violation[] {
  const violations: Violation[] = []
  let files = 0
  for (const [target, entry] of Object.entries(mappings)) {
    const refuse = (member: (string | number)[], msg: string) =>
      violations.push({
        loc: ['body', 'schema_mapping', 'mappings', target, ...member],
        msg,
        type: 'value_error',
      })
    const { source } = entry
    const needed = NEEDED[source.type]
    if (needed && !source[needed]) refuse(['source', needed], 'Field required')
    if (source.type === 'constant' && source.value === undefined)
      refuse(['source', 'value'], 'Field required')
    if (source.type === 'filename_regex' && source.pattern) {
      const problem = compilePattern(source.pattern).problem
      if (problem) refuse(['source', 'pattern'], problem)
    }
    if (entry.target_type === 'blob') checkBlob(schema, target, entry, refuse)
    else checkField(schema, target, entry, refuse)
    if (source.type === 'file' && ++files > 1)
      refuse(['source', 'type'], 'Only one mapping may take the file')
  }
  return violations
}

type Refuse = (member: (string | number)[], msg: string) => void

function checkField(
  schema: BucketSchema | null,
  target: string,
  { source }: MappingEntry,
  refuse: Refuse,
): void {
  if (source.type === 'file') refuse(['source', 'type'], 'A file can only become a blob')
  if (target.startsWith('_')) refuse([], 'Names that start with an underscore are reserved for the server')
  if (schema && target !== 'metadata' && !Object.hasOwn(schema.properties, target))
    refuse([], `"${target}" is not a property of the bucket schema`)
}

function checkBlob(schema: BucketSchema | null, target: string, entry: MappingEntry, refuse: Refuse): void {
  if (!schema) return
  const property = blobProperty(schema, target, entry)
  const field = Object.hasOwn(schema.properties, property) ? schema.properties[property]! : null
  const { blob_type } = entry
  if (!field) refuse(['blob_property'], `"${property}" is not a property of the bucket schema`)
  else if (!isFileType(field.type))
    refuse(['blob_property'], `"${property}" has the type ${field.type} and takes no file`)
  else if (blob_type && blob_type !== 'auto' && blob_type !== field.type)
    refuse(['blob_type'], `Property "${property}" has the type ${field.type}, not ${blob_type}`)
}

/** What `blob_property` says, else the target where the schema has it, else `content`. */
function blobProperty(schema: BucketSchema | null, target: string, { blob_property }: MappingEntry): string {
  if (blob_property) return blob_property
  return schema && Object.hasOwn(schema.properties, target) ? target : 'content'
}

/** Whether reading needs the tags of the store, which cost a request a file. */
export const wantsTags = (mapping: SchemaMapping | null | undefined): boolean =>
  Object.values(mapping?.mappings ?? {}).some(({ source }) => source.type === 'tag')

/** The members of the object that an item becomes. Throws `source_value_missing`. */
export function mapItem(
  schema: BucketSchema | null,
  mapping: SchemaMapping | null | undefined,
  item: SourceItem,
  content: Pick<SourceContent, 'metadata' | 'tags'>,
): MappedItem {
  if (!mapping) return unmapped(item)
  const mapped: MappedItem = { fields: {}, blobs: [], file: null }
  for (const [target, entry] of Object.entries(mapping.mappings)) {
    if (entry.target_type === 'blob' && entry.source.type === 'file') {
      const property = blobProperty(schema, target, entry)
      mapped.file = { property, mime_type: entry.mime_type_override ?? null }
      continue
    }
    const value = storable(transformed(entry, sourceValue(entry.source, item, content)))
    if (value === undefined || value === null) {
      if (entry.required) throw new KuraError('source_value_missing', { target })
    } else if (entry.target_type === 'blob')
      mapped.blobs.push({ property: blobProperty(schema, target, entry), data: value })
    else mapped.fields[target] = value
  }
  return mapped
}

/** Columns become root members, a file goes where it fits. */
function unmapped(item: SourceItem): MappedItem {
  if (item.kind === 'row') return { fields: storable(item.values as JsonObject), blobs: [], file: null }
  return { fields: {}, blobs: [], file: { property: null, mime_type: null } }
}

/** Without what PostgreSQL cannot keep in a text: U+0000 and halves of surrogate pairs. */
function storable<T extends JsonValue | undefined>(value: T): T {
  if (typeof value === 'string') return value.replaceAll('\0', '').toWellFormed() as T
  if (Array.isArray(value)) return value.map(storable) as unknown as T
  if (!isObject(value)) return value
  const members = Object.entries(value as JsonObject)
  return Object.fromEntries(members.map(([name, member]) => [storable(name), storable(member)])) as T
}

function sourceValue(
  source: MappingSource,
  item: SourceItem,
  { tags, metadata }: Pick<SourceContent, 'metadata' | 'tags'>,
): JsonValue | undefined {
  const properties = item.kind === 'file' ? item.properties : item.kind === 'row' ? item.values : undefined
  switch (source.type) {
    case 'constant':
      return source.value as JsonValue
    case 'column':
      return properties?.[source.name!] as JsonValue | undefined
    case 'drive_property':
      return properties?.[source.key!] as JsonValue | undefined
    case 'rss_field':
      return properties?.[source.field!] as JsonValue | undefined
    case 'tag':
      return tags?.[source.key!]
    case 'metadata':
      return metadata?.[source.key!.toLowerCase().replace(/^x-amz-meta-/, '')]
    case 'filename_regex':
      return item.kind === 'file' ? fromName(source, item.name) : (source.default ?? undefined)
    case 'folder_path':
      return item.kind === 'file' ? fromFolder(source, item.path) : undefined
    case 'file':
      return undefined
  }
}

function fromName({ pattern, default: fallback }: MappingSource, name: string): string | undefined {
  return compilePattern(pattern!).match?.(name) ?? fallback ?? undefined
}

/** An indexed segment (negative: from the end), the whole path, else the parent folder. */
function fromFolder({ segment, full_path }: MappingSource, path: string): string | undefined {
  const folders = path.split('/').slice(0, -1)
  if (typeof segment === 'number') return folders.at(segment)
  if (full_path) return folders.join('/') || undefined
  return folders.at(-1)
}

function transformed({ transform }: MappingEntry, value: JsonValue | undefined): JsonValue | undefined {
  if (!transform || typeof value !== 'string') return value
  switch (transform) {
    case 'lowercase':
      return value.toLowerCase()
    case 'uppercase':
      return value.toUpperCase()
    case 'trim':
      return value.trim()
    case 'json_parse':
      try {
        return JSON.parse(value) as JsonValue
      } catch {
        // Not JSON after all: the bucket schema decides whether the text will do.
        return value
      }
  }
}

import Type, { type Static } from 'typebox'
import { Defaulted, FreeObject, optional, Timestamp } from '../../core/schema.ts'

const PATTERNS_MAX = 100
const Patterns = Type.Array(Type.String({ minLength: 1, maxLength: 512 }), { maxItems: PATTERNS_MAX })

/** Which files a sync takes; members are ANDed, absent ones take everything. */
export const FileFilters = Type.Object(
  {
    include_patterns: optional(Patterns),
    exclude_patterns: optional(Patterns),
    extensions: optional(Patterns),
    min_size_bytes: optional(Type.Integer({ minimum: 0 })),
    max_size_bytes: optional(Type.Integer({ minimum: 0 })),
    modified_after: optional(Timestamp),
    modified_before: optional(Timestamp),
    mime_types: optional(Patterns),
  },
  { $id: 'FileFilters' },
)
export type FileFilters = Static<typeof FileFilters>

const SOURCE_TYPES = [
  'file',
  'tag',
  'metadata',
  'filename_regex',
  'folder_path',
  'column',
  'drive_property',
  'rss_field',
  'constant',
] as const

/** Where a value comes from; which members belong to which type, `checkMapping` knows. */
const MappingSource = Type.Object({
  type: Type.Enum([...SOURCE_TYPES]),
  key: optional(Type.String({ minLength: 1, maxLength: 1024 })),
  name: optional(Type.String({ minLength: 1, maxLength: 1024 })),
  field: optional(Type.String({ minLength: 1, maxLength: 1024 })),
  pattern: optional(Type.String({ minLength: 1, maxLength: 512 })),
  default: optional(Type.String()),
  segment: optional(Type.Integer()),
  full_path: optional(Type.Boolean()),
  value: Type.Optional(Type.Unknown()),
})
export type MappingSource = Static<typeof MappingSource>

export const TRANSFORMS = ['lowercase', 'uppercase', 'trim', 'json_parse'] as const

const MappingEntry = Type.Object({
  target_type: Defaulted(Type.Enum(['field', 'blob']), 'field'),
  source: MappingSource,
  transform: optional(Type.Enum([...TRANSFORMS])),
  required: optional(Type.Boolean()),
  blob_type: optional(Type.Enum(['auto', 'image', 'video', 'audio', 'text', 'pdf', 'excel'])),
  blob_property: optional(Type.String({ minLength: 1 })),
  mime_type_override: optional(Type.String({ maxLength: 255 })),
})
export type MappingEntry = Static<typeof MappingEntry>

export const SchemaMapping = Type.Object({ mappings: Type.Record(Type.String(), MappingEntry) })
export type SchemaMapping = Static<typeof SchemaMapping>

/** What a sync is told, beside its source and its place. */
export const SyncSettings = Type.Object({
  description: optional(Type.String({ maxLength: 1000 })),
  file_filters: optional(FileFilters),
  schema_mapping: optional(SchemaMapping),
  polling_interval_seconds: Defaulted(Type.Integer({ minimum: 30, maximum: 900 }), 300),
  /** Extension: a cron expression (UTC) that takes the place of the interval. */
  schedule: optional(Type.String({ minLength: 1, maxLength: 128 })),
  batch_size: Defaulted(Type.Integer({ minimum: 1, maximum: 100 }), 50),
  skip_duplicates: Defaulted(Type.Boolean(), true),
  skip_batch_submission: Defaulted(Type.Boolean(), false),
  /** Extension: what happens to the objects of files that have vanished from the source. */
  deletion_policy: Defaulted(Type.Enum(['keep', 'delete']), 'keep'),
  max_objects_per_run: Defaulted(Type.Integer({ minimum: 1, maximum: 10_000_000 }), 100_000),
  batch_chunk_size: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 100),
  metadata: optional(FreeObject),
})
export type SyncSettings = Static<typeof SyncSettings>

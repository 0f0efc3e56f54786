import Type from 'typebox'
import { isObject } from './json.ts'
import { Defaulted, Nullable } from './schema.ts'

/** Types of JSON members of an object. */
export const METADATA_TYPES = [
  'string',
  'number',
  'integer',
  'float',
  'boolean',
  'object',
  'array',
  'date',
  'datetime',
] as const
/** Types whose values are blobs. */
export const FILE_TYPES = ['text', 'image', 'audio', 'video', 'pdf', 'excel'] as const
export const FIELD_TYPES = [...METADATA_TYPES, ...FILE_TYPES] as const

export type FileType = (typeof FILE_TYPES)[number]
export type FieldType = (typeof FIELD_TYPES)[number]

export const isFileType = (type: string): type is FileType => (FILE_TYPES as readonly string[]).includes(type)

/** One field of a bucket schema; members that the contract does not name are kept. */
export type BucketSchemaField = {
  type: FieldType
  description?: string | null
  default?: unknown
  required?: boolean | null
  enum?: unknown[] | null
  examples?: unknown[] | null
  items?: BucketSchemaField | null
  properties?: Record<string, BucketSchemaField> | null
  [extra: string]: unknown
}

export type BucketSchema = { properties: Record<string, BucketSchemaField>; [extra: string]: unknown }

/** Values of a key are short, yet its text is hashed, shown in errors and compared. */
const UNIQUE_KEY_FIELDS_MAX = 32

export const UniqueKeyConfig = Type.Object(
  {
    fields: Type.Array(Type.String(), { minItems: 1, maxItems: UNIQUE_KEY_FIELDS_MAX }),
    default_policy: Type.Optional(Nullable(Type.Enum(['insert', 'update', 'upsert']))),
  },
  { $id: 'UniqueKeyConfig' },
)
export type UniqueKeyConfig = Type.Static<typeof UniqueKeyConfig>

const Self = () => Type.Ref('BucketSchemaField')

const Field = Type.Unsafe<BucketSchemaField>(
  Type.Cyclic(
    {
      BucketSchemaField: Type.Object(
        {
          type: Type.Enum([...FIELD_TYPES]),
          default: Type.Optional(Nullable(Type.Unknown())),
          items: Type.Optional(Nullable(Self())),
          properties: Type.Optional(Nullable(Type.Record(Type.String(), Self()))),
          examples: Type.Optional(Nullable(Type.Array(Type.Unknown()))),
          description: Type.Optional(Nullable(Type.String())),
          enum: Type.Optional(Nullable(Type.Array(Type.Unknown()))),
          required: Defaulted(Nullable(Type.Boolean()), false),
        },
        { additionalProperties: true },
      ),
    },
    'BucketSchemaField',
  ),
)

/** The wire form, in requests after `canonicalBucketSchema` and in responses. */
export const BucketSchema = Type.Object(
  { properties: Type.Record(Type.String(), Field) },
  { $id: 'BucketSchema', additionalProperties: true },
)

/** Names that older clients send, and what they mean today. */
const LEGACY_TYPES: Record<string, FieldType> = { json: 'object', document: 'pdf', spreadsheet: 'excel' }

/** Lower case, legacy names replaced; an unknown type stays for the schema check to refuse. */
export function canonicalFieldType(raw: string): string {
  const type = raw.trim().toLowerCase()
  return (Object.hasOwn(LEGACY_TYPES, type) && LEGACY_TYPES[type]) || type
}

/**
 * Rewrites accepted spellings: types in any case or under legacy names, and JSON Schema wrappers
 * (`type: "object"` around `properties`, `required` as a list of names). What it does not
 * understand it leaves for the schema check to refuse.
 */
export function canonicalBucketSchema(raw: unknown): unknown {
  if (!isObject(raw)) return raw
  const { type: _wrapper, required, ...schema } = raw
  return isObject(raw.properties) ? { ...schema, properties: canonicalFields(raw.properties, required) } : raw
}

function canonicalFields(fields: Record<string, unknown>, required: unknown): Record<string, unknown> {
  const names = new Set<unknown>(Array.isArray(required) ? required : [])
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const canonical = canonicalField(field)
      return [name, names.has(name) && isObject(canonical) ? { ...canonical, required: true } : canonical]
    }),
  )
}

function canonicalField(raw: unknown): unknown {
  if (!isObject(raw)) return raw
  const field = { ...raw }
  if (typeof raw.type === 'string') field.type = canonicalFieldType(raw.type)
  if (isObject(raw.properties)) field.properties = canonicalFields(raw.properties, raw.required)
  if (Array.isArray(raw.required)) delete field.required
  if (raw.items !== undefined) field.items = canonicalField(raw.items)
  return field
}

import Type, { type Static } from 'typebox'
import { ValidationError, type Violation } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'
import { Defaulted, optional } from '../../core/schema.ts'
import { validator } from '../../core/validation.ts'

const Path = Type.String({ minLength: 1, maxLength: 512 })
const Secret = Type.String({ minLength: 16, maxLength: 512 })

/** How a sender without an API key proves who it is. */
const Auth = Type.Object({
  /**
   * `signature`: Standard Webhooks, X-Mixpeek-Signature or X-Hub-Signature-256. `bearer`: the secret as
   * bearer token, or as password of basic authentication. `header`: the secret in a header of its own.
   */
  method: Type.Enum(['signature', 'bearer', 'header']),
  secret: Secret,
  /** Still taken while senders change over. */
  previous_secret: optional(Secret),
  header: optional(Type.String({ pattern: '^[A-Za-z0-9-]{1,100}$' })),
  tolerance_seconds: Defaulted(Type.Integer({ minimum: 1, maximum: 3600 }), 300),
})

/** A path into the event (`data.title`, `items[0].id`), or `{ "value": … }` for what is always the same. */
const Source = Type.Union([Path, Type.Object({ value: Type.Unknown() })])

const common = {
  enabled: Defaulted(Type.Boolean(), true),
  auth: optional(Auth),
  /** What a removal in the source does to the object made from it. */
  on_removed: Defaulted(Type.Enum(['ignore', 'delete']), 'ignore'),
  /** Makes and submits a batch of what comes in. */
  auto_process: Defaulted(Type.Boolean(), false),
  fields: optional(Type.Record(Type.String(), Source)),
}

const S3Adapter = Type.Object({
  type: Type.Literal('s3_notifications'),
  ...common,
  /** Blob property of the file; absent: the one that it fits. */
  property: optional(Type.String({ minLength: 1, maxLength: 255 })),
  /** Where a file is fetched; `{bucket}` and `{key}` are filled in. */
  url_template: Defaulted(
    Type.String({ pattern: '^(?:https?|s3|gs)://', maxLength: 2048 }),
    's3://{bucket}/{key}',
  ),
  prefix: optional(Type.String({ maxLength: 1024 })),
  suffixes: optional(Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { maxItems: 100 })),
})

const JsonAdapter = Type.Object({
  type: Type.Literal('json'),
  ...common,
  /** Where the items are; absent: the body is one item, or a list of them. */
  items: optional(Path),
  event_id: optional(Path),
  /** Names the thing an item tells of: later items change the same object. */
  source_key: optional(Path),
  /** Grows with every change; an item with a lower one than was seen is ignored. */
  sequencer: optional(Path),
  blobs: optional(
    Type.Array(Type.Object({ property: Type.String({ minLength: 1, maxLength: 255 }), data: Path }), {
      maxItems: 100,
    }),
  ),
  /** The item tells of a removal when this path holds one of these values. */
  removed: optional(
    Type.Object({ path: Path, values: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 20 }) }),
  ),
})

const SCHEMAS = { s3_notifications: S3Adapter, json: JsonAdapter }

export type S3AdapterConfig = Static<typeof S3Adapter>
export type JsonAdapterConfig = Static<typeof JsonAdapter>
export type AdapterConfig = S3AdapterConfig | JsonAdapterConfig

/**
 * The adapter that a bucket's `source_adapter` describes; null where its type is none of ours: such
 * objects are kept and shown, and nothing receives for them. Throws 422.
 */
export function readAdapter(value: unknown): AdapterConfig | null {
  if (!isObject(value) || typeof value.type !== 'string' || !Object.hasOwn(SCHEMAS, value.type)) return null
  const violations: Violation[] = []
  const loc = ['body', 'source_adapter']
  const schema = SCHEMAS[value.type as keyof typeof SCHEMAS]
  const config = validator(schema)(value, loc, violations) as AdapterConfig
  if (violations.length > 0) throw new ValidationError(violations)
  const { auth } = config
  if (auth?.method === 'header' && !auth.header)
    violations.push({ loc: [...loc, 'auth', 'header'], msg: 'Field required', type: 'missing' })
  if (config.type === 'json' && config.removed && !config.source_key)
    violations.push({ loc: [...loc, 'source_key'], msg: 'Removals need a source_key', type: 'value_error' })
  if (violations.length > 0) throw new ValidationError(violations)
  return config
}

const MASK = /^\*{8,}$/

/** Puts what came back masked in again, wherever buckets mask: the secrets, and members named like one. */
export function restoreMasked(sent: unknown, current: unknown): unknown {
  if (typeof sent === 'string') return MASK.test(sent) && typeof current === 'string' ? current : sent
  if (Array.isArray(sent))
    return sent.map((item, i) => restoreMasked(item, Array.isArray(current) ? current[i] : undefined))
  if (!isObject(sent)) return sent
  return Object.fromEntries(
    Object.entries(sent).map(([name, member]) => [
      name,
      restoreMasked(member, isObject(current) ? current[name] : undefined),
    ]),
  )
}

/** Refuses masks that stand for nothing: as secrets everybody knows them, as paths they lead nowhere. Throws 422. */
export function refuseMasks(config: AdapterConfig): void {
  const violations = masksIn(config, ['body', 'source_adapter']).map((loc) => ({
    loc,
    msg: 'The masked value stands for nothing that is known here',
    type: 'value_error',
  }))
  if (violations.length > 0) throw new ValidationError(violations)
}

type Place = (string | number)[]

/** Where masks are. A constant `value` is never masked by itself, so it may look like one. */
function masksIn(value: unknown, loc: Place): Place[] {
  if (typeof value === 'string') return MASK.test(value) && loc.at(-1) !== 'value' ? [loc] : []
  if (Array.isArray(value)) return value.flatMap((item, i) => masksIn(item, [...loc, i]))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]) => masksIn(member, [...loc, name]))
}

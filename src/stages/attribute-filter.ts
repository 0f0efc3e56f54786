import Type from 'typebox'
import { parseFilter } from '../core/filters/parse.ts'
import { isObject } from '../core/json.ts'
import { Defaulted, Nullable } from '../core/schema.ts'
import { defineStage, unscored } from './stage.ts'

/** A first stage brings at most this many documents of each collection (contract, attribute_filter). */
const SCAN_PER_COLLECTION_MAX = 1000
/** And this many in all, as any working set. */
export const WORKING_SET_MAX = 10_000

/** Placeholder defaults of typed clients, which mean "not given". */
const CLIENT_DEFAULT_FIELD = 'metadata.status'

export const attributeFilterStage = defineStage({
  id: 'attribute_filter',
  category: 'filter',
  description: 'Keeps documents whose fields fit a condition; as the first stage it finds them.',
  icon: 'filter',
  parameters: Type.Object({
    field: Type.Optional(Nullable(Type.String())),
    operator: Type.Optional(Nullable(Type.String())),
    value: Type.Optional(Nullable(Type.Unknown())),
    conditions: Type.Optional(Nullable(Type.Unknown())),
    batch_size: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 100),
    case_insensitive: Defaulted(Type.Boolean(), false),
  }),
  normalize,

  async run({ candidates, filter, tools }) {
    if (candidates === null) {
      const { document_seqs, truncated } = await tools.scan({
        filter,
        collection_identifiers: null,
        limit_per_collection: SCAN_PER_COLLECTION_MAX,
        limit: WORKING_SET_MAX,
      })
      return { candidates: document_seqs.map(unscored), metadata: { truncated } }
    }
    if (filter === null) return { candidates }
    const kept = new Set(
      await tools.keep(
        candidates.map((one) => one.document_seq),
        filter,
      ),
    )
    return { candidates: candidates.filter((one) => kept.has(one.document_seq)) }
  },
})

type Parameters = {
  field?: unknown
  operator?: unknown
  value?: unknown
  conditions?: unknown
  case_insensitive?: boolean
}

/** The filter of rendered parameters; null when its conditions all fell away with absent inputs. */
export function attributeFilterOf(parameters: Parameters) {
  const { field, operator, value, conditions, case_insensitive = false } = parameters
  const raw =
    conditions !== undefined && conditions !== null
      ? conditions
      : field === undefined || field === null || value === undefined
        ? null
        : { field, operator: operator ?? 'eq', value }
  if (raw === null) return null
  return parseFilter(raw, {
    profile: 'retrieval',
    unknown_operator: 'filter_operator_unknown',
    loc: ['conditions'],
    case_sensitive: !case_insensitive,
  })
}

/** `{"AND":[…]}` directly, `structured_filter`, `filters` are conditions; they win over the client's default field. */
function normalize(parameters: Record<string, unknown>): Record<string, unknown> {
  const { AND, OR, NOT, structured_filter, filters, conditions, ...rest } = parameters
  const groups = Object.fromEntries(
    Object.entries({ AND, OR, NOT }).filter(([, member]) => member !== undefined),
  )
  const given =
    conditions ?? structured_filter ?? filters ?? (Object.keys(groups).length > 0 ? groups : undefined)
  if (given === undefined || given === null) return rest
  if (rest.field === CLIENT_DEFAULT_FIELD && (rest.value === undefined || rest.value === null))
    delete rest.field
  return { ...rest, conditions: isObject(given) || Array.isArray(given) ? given : conditions }
}

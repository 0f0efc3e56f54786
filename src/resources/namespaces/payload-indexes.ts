import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import type { PayloadIndex } from './schemas.ts'

const keyword = (field_name: string, is_tenant = false): PayloadIndex => ({
  field_name,
  type: 'keyword',
  ...(is_tenant && { field_schema: { type: 'keyword', is_tenant } }),
  is_protected: true,
})
const datetime = (field_name: string): PayloadIndex => ({ field_name, type: 'datetime', is_protected: true })

/** Every namespace has these; users can neither change nor remove them. */
export const PROTECTED_INDEXES: readonly PayloadIndex[] = [
  keyword('internal_id', true),
  keyword('namespace_id', true),
  keyword('collection_id', true),
  ...['document_id', 'bucket_id', 'object_id', 'root_object_id', 'root_bucket_id', 'source_object_id'].map(
    (name) => keyword(name),
  ),
  datetime('created_at'),
  datetime('updated_at'),
]

const protectedByName = new Map(PROTECTED_INDEXES.map((index) => [index.field_name, index]))

export const isProtected = (field_name: string): boolean => protectedByName.has(field_name)

/**
 * The user's own indexes of a request. Entries that repeat built-in ones as they are shown are
 * dropped: clients send back what they got. Throws `payload_index_protected`, 422 for duplicates
 * and for a `field_schema` of another type.
 */
export function userIndexes(sent: readonly PayloadIndex[]): PayloadIndex[] {
  const violations: Violation[] = []
  const own: PayloadIndex[] = []
  const seen = new Set<string>()
  for (const [i, index] of sent.entries()) {
    const { field_name, type, field_schema } = index
    const builtIn = protectedByName.get(field_name)
    const add = (member: string, msg: string) =>
      void violations.push({ loc: ['body', 'payload_indexes', i, member], msg, type: 'value_error' })
    if (builtIn) {
      if (index.is_protected && builtIn.type === type) continue
      throw new KuraError('payload_index_protected', { field: field_name })
    }
    if (seen.has(field_name)) add('field_name', `"${field_name}" is listed twice`)
    seen.add(field_name)
    if (field_schema?.type !== undefined && field_schema.type !== type)
      add('field_schema', `field_schema.type must be "${type}", as type is`)
    own.push({ field_name, type, ...(field_schema && { field_schema }), is_protected: false })
  }
  if (violations.length > 0) throw new ValidationError(violations)
  return own
}

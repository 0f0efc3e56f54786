import { isObject } from '../../core/json.ts'
import { unwrapInputSchema } from '../../core/retrievers/input-schema.ts'

type Raw = Record<string, unknown>

/** Spellings of a retriever definition that clients send (contract, retriever resource). */
export function normalizeDefinition(body: unknown): unknown {
  if (!isObject(body)) return body
  const { name, collection_ids, collection_id, ...rest } = body
  const result: Raw = { ...rest }
  if (result.retriever_name === undefined && name !== undefined) result.retriever_name = name
  const collections = collection_ids ?? (typeof collection_id === 'string' ? [collection_id] : undefined)
  if (result.collection_identifiers === undefined && collections !== undefined)
    result.collection_identifiers = collections
  if (typeof result.collection_identifiers === 'string')
    result.collection_identifiers = [result.collection_identifiers]
  if (result.input_schema !== undefined) result.input_schema = unwrapInputSchema(result.input_schema)
  return result
}

/** As a definition, with the extras of an execution. */
export const normalizeAdhoc = (body: unknown): unknown => normalizeExecute(normalizeDefinition(body))

/** `input`, `query`, `settings`, flat paging: all are inputs and a page (contract, execute). */
export function normalizeExecute(body: unknown): unknown {
  if (!isObject(body)) return body
  const { input, query, settings, limit, page_size, offset, cursor, ...rest } = body
  const result: Raw = { ...rest }
  const given = [result.inputs, input, query].find(isObject)
  if (given) result.inputs = given
  if (typeof query === 'string') result.inputs = { query, ...(isObject(result.inputs) ? result.inputs : {}) }
  const flat = isObject(settings) ? settings : {}
  const size = limit ?? page_size ?? flat.limit ?? flat.page_size
  const from = offset ?? flat.offset
  if (
    !isObject(result.pagination) &&
    [size, from, cursor].some((one) => one !== undefined && one !== null && one !== '')
  ) {
    result.pagination = { limit: size, offset: from, cursor }
  }
  return result
}

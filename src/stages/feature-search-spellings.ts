import { isObject } from '../core/json.ts'

type Raw = Record<string, unknown>

/** Rewrites what clients and published examples send for feature_search into `searches` (contract, feature_search). */
export function normalizeFeatureSearch(parameters: Raw): Raw {
  const {
    limit,
    fusion_method,
    collections,
    collection_ids,
    features,
    feature_uris,
    feature_searches,
    queries,
    ...rest
  } = parameters
  const result: Raw = { ...rest }
  const scope = collections ?? collection_ids
  if (scope !== undefined) result.collection_identifiers ??= scope
  if (fusion_method !== undefined) result.fusion ??= fusion_method
  const listed = [rest.searches, feature_uris, features, feature_searches, queries].find(Array.isArray)
  if (listed) result.searches = listed.map(normalizeSearch)
  else {
    const flat = takeFlatSearch(result)
    if (flat)
      result.searches = [
        normalizeSearch({ ...flat, ...(limit !== undefined && { top_k: flat.top_k ?? limit }) }),
      ]
  }
  if (limit !== undefined) result.final_top_k ??= limit
  return result
}

const FEATURE_KEYS = ['feature_uri', 'feature_address', 'vector_index', 'uri']
const QUERY_KEYS = ['query', 'input', 'query_input', 'input_mapping', 'text']

/** One search written flat beside the stage's own parameters; taken out of `parameters`. */
function takeFlatSearch(parameters: Raw): Raw | null {
  const keys = [...FEATURE_KEYS, ...QUERY_KEYS, 'top_k', 'min_score', 'weight', 'on_empty', 'input_mode']
  const flat = Object.fromEntries(
    keys.filter((key) => parameters[key] !== undefined).map((key) => [key, parameters[key]]),
  )
  const hasSearch = [...FEATURE_KEYS, ...QUERY_KEYS].some((key) => flat[key] !== undefined)
  if (!hasSearch) return null
  for (const key of keys) delete parameters[key]
  // Naming only a kind of extractor means the only feature that reads the query (contract).
  delete parameters.feature_extractor
  if (flat.top_k !== undefined) parameters.final_top_k ??= flat.top_k
  return flat
}

function normalizeSearch(search: unknown): unknown {
  if (typeof search === 'string') return { feature_uri: search }
  if (!isObject(search)) return search
  const result: Raw = { ...search }
  for (const key of FEATURE_KEYS.slice(1)) {
    if (result[key] !== undefined) result.feature_uri ??= result[key]
    delete result[key]
  }
  for (const key of QUERY_KEYS.slice(1)) {
    if (result[key] !== undefined) result.query ??= result[key]
    delete result[key]
  }
  if (result.limit !== undefined) {
    result.top_k ??= result.limit
    delete result.limit
  }
  if (typeof result.input_mode === 'string' && !isObject(result.query)) {
    result.query = { input_mode: result.input_mode, value: result.query }
  }
  delete result.input_mode
  return result
}

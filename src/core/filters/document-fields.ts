import { type Path, parsePath } from './path.ts'

const INTERNAL = '_internal'

/** System names that filters, sorts and projections of documents may use without `_internal`. */
const SYSTEM_PATHS: Readonly<Record<string, Path>> = {
  created_at: [INTERNAL, 'created_at'],
  updated_at: [INTERNAL, 'updated_at'],
  namespace_id: [INTERNAL, 'namespace_id'],
  modality: [INTERNAL, 'modality'],
  mime_type: [INTERNAL, 'mime_type'],
  root_object_id: [INTERNAL, 'lineage', 'root_object_id'],
  root_bucket_id: [INTERNAL, 'lineage', 'root_bucket_id'],
  object_id: [INTERNAL, 'lineage', 'root_object_id'],
  bucket_id: [INTERNAL, 'lineage', 'root_bucket_id'],
  source_type: [INTERNAL, 'lineage', 'source_type'],
  source_object_id: [INTERNAL, 'lineage', 'source_object_id'],
  source_document_id: [INTERNAL, 'lineage', 'source_document_id'],
  source_collection_id: [INTERNAL, 'lineage', 'source_collection_id'],
  lineage_path: [INTERNAL, 'lineage', 'path'],
  processing_tier: [INTERNAL, 'lineage', 'processing_tier'],
}

/**
 * Where a field of a document may be found, in order: as written, without a `metadata.` prefix
 * (passthrough puts those members at the root, clients keep the prefix), then the place of a system
 * name under `_internal`. Filter, sort, select, grouping and aggregation of documents share it.
 */
export function documentField(field: string): Path[] {
  return expand(parsePath(field), ['metadata'], systemPlace)
}

/** What stands for `content` in a candidate without that field. */
const CONTENT_FIELDS = ['text', 'description', 'transcription', 'transcript', 'ocr_text', 'title']

/** As `documentField`, with the further names that retriever stages know. */
export function candidateField(field: string): Path[] {
  return expand(parsePath(field), ['metadata', 'payload'], (path) => {
    const [name, ...rest] = path
    if (name === 'content' && rest.length === 0) return CONTENT_FIELDS.map((other) => [other])
    if (name === '_score') return [['score', ...rest]]
    if (typeof name === 'string' && name.startsWith('_taxonomy_')) return [[name.slice(1), ...rest]]
    return systemPlace(path)
  })
}

type Places = (path: Path) => Path[]

function expand(path: Path, prefixes: readonly string[], elsewhere: Places): Path[] {
  const [head, ...rest] = path
  if (typeof head === 'string' && prefixes.includes(head) && rest.length > 0)
    return [path, rest, ...elsewhere(rest)]
  return [path, ...elsewhere(path)]
}

function systemPlace([name, ...rest]: Path): Path[] {
  if (typeof name !== 'string' || !Object.hasOwn(SYSTEM_PATHS, name)) return []
  return [[...SYSTEM_PATHS[name]!, ...rest]]
}

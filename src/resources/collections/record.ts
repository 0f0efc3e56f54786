import { canonicalMappings, type SentMappings } from '../../core/collections/check-mappings.ts'
import type {
  CollectionConfig,
  FieldPassthrough,
  FieldsSchema,
  VectorIndexDefinition,
} from '../../core/collections/config.ts'
import { KuraError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import * as store from './store.ts'

/** The source as it is stored; a single collection stays in the member that the client used. */
export type StoredSource = {
  type: 'bucket' | 'collection'
  bucket_ids?: string[]
  collection_id?: string
  collection_ids?: string[]
  /** Root buckets of a collection source. */
  inherited_bucket_ids?: string[]
  source_filters?: JsonObject
}

export type StoredExtractor = {
  feature_extractor_name: string
  version: string
  feature_extractor_id: string
  params?: JsonObject
  /** With defaults, and always with `extractor_type`. */
  parameters: JsonObject
  /** In the form that was sent; found mappings are a map. */
  input_mappings: SentMappings
  field_passthrough: FieldPassthrough[]
  include_all_source_fields: boolean
}

export type LineageEntry = {
  source_config: StoredSource
  feature_extractor: StoredExtractor
  output_schema: FieldsSchema
}

/** What other resources and the engine need to know of a collection. */
export type CollectionRecord = {
  collection_seq: number
  namespace_id: string
  collection_id: string
  collection_name: string
  description: string | null
  enabled: boolean
  schema_version: number
  schema_sync_enabled: boolean
  last_schema_sync: string | null
  document_count: number
  created_at: string
  updated_at: string
  source: StoredSource
  feature_extractor: StoredExtractor
  input_schema: FieldsSchema
  output_schema: FieldsSchema
  vector_indexes: VectorIndexDefinition[]
  payload_indexes: unknown[]
  source_lineage: LineageEntry[]
  source_bucket_schemas: Record<string, FieldsSchema> | null
  metadata: JsonObject | null
}

/** The collection with this id, else with this name; throws `collection_not_found`. */
export async function findCollection(
  db: DbOrTrx,
  scope: Pick<Scope, 'namespaceId'>,
  identifier: string,
): Promise<CollectionRecord> {
  const rows = await store.findByIdentifier(db, scope, [identifier])
  // A collection may bear the id of another as its name; the id wins.
  const row = rows.find(({ collection_id }) => collection_id === identifier) ?? rows[0]
  if (!row) throw collectionNotFound(identifier)
  return toRecord(row)
}

/** The collections with these ids or names, in their order; throws `collection_not_found` for the first unknown one. */
export async function findCollections(
  db: DbOrTrx,
  scope: Pick<Scope, 'namespaceId'>,
  identifiers: readonly string[],
): Promise<CollectionRecord[]> {
  if (identifiers.length === 0) return []
  const rows = await store.findByIdentifier(db, scope, identifiers)
  const byId = new Map(rows.map((row) => [row.collection_id, row]))
  const byName = new Map(rows.map((row) => [row.collection_name, row]))
  return identifiers.map((identifier) => {
    const row = byId.get(identifier) ?? byName.get(identifier)
    if (!row) throw collectionNotFound(identifier)
    return toRecord(row)
  })
}

/** The collections with these ids that exist, by id. */
export async function collectionsByIds(
  db: DbOrTrx,
  scope: Pick<Scope, 'namespaceId'>,
  collection_ids: readonly string[],
): Promise<Map<string, CollectionRecord>> {
  const rows = await store.findByIds(db, scope, collection_ids)
  return new Map(rows.map((row) => [row.collection_id, toRecord(row)]))
}

/**
 * The enabled collections that read a bucket, directly or through other enabled ones; each comes
 * after one of its sources. A disabled collection hides what is reachable only through it.
 */
export async function listConsumers(
  db: DbOrTrx,
  scope: Pick<Scope, 'namespaceId'>,
  { bucket_id }: { bucket_id: string },
): Promise<CollectionRecord[]> {
  const found = new Map<string, CollectionRecord>()
  let readers = await store.findReaders(db, scope, 'bucket', [bucket_id])
  // Sources exist before their readers and never change, so this ends: there are no cycles.
  while (readers.length > 0) {
    const fresh = readers.filter(({ collection_id }) => !found.has(collection_id)).map(toRecord)
    for (const record of fresh) found.set(record.collection_id, record)
    const sources = fresh.map(({ collection_id }) => collection_id)
    readers = sources.length > 0 ? await store.findReaders(db, scope, 'collection', sources) : []
  }
  return [...found.values()]
}

/** What is needed to run the collection, in a form that survives JSON. */
export function toConfig(record: CollectionRecord): CollectionConfig {
  const { source, feature_extractor, collection_id, collection_name, namespace_id } = record
  const { params: _params, input_mappings, ...extractor } = feature_extractor
  return {
    collection_id,
    collection_name,
    namespace_id,
    source: {
      type: source.type,
      ...(source.type === 'bucket'
        ? { bucket_ids: source.bucket_ids ?? [] }
        : { collection_ids: sourceCollections(source) }),
      source_filters: source.source_filters ?? null,
    },
    feature_extractor: { ...extractor, input_mappings: canonicalMappings(input_mappings) },
    input_schema: record.input_schema,
    output_schema: record.output_schema,
    vector_indexes: record.vector_indexes,
    schema_version: record.schema_version,
  }
}

/** The collections that a source of type `collection` names. */
export function sourceCollections({ collection_id, collection_ids }: Partial<StoredSource>): string[] {
  return collection_ids ?? (collection_id === undefined ? [] : [collection_id])
}

export const collectionNotFound = (identifier: string) =>
  new KuraError('collection_not_found', { resource: 'collection', id: identifier })

export function toRecord(row: store.CollectionRow): CollectionRecord {
  return {
    collection_seq: row.collection_seq,
    namespace_id: row.namespace_id,
    collection_id: row.collection_id,
    collection_name: row.collection_name,
    description: row.description,
    enabled: row.enabled === 1,
    schema_version: row.schema_version,
    schema_sync_enabled: row.schema_sync_enabled === 1,
    last_schema_sync: row.last_schema_sync,
    document_count: row.document_count,
    created_at: row.created_at,
    updated_at: row.updated_at,
    source: JSON.parse(row.source),
    feature_extractor: JSON.parse(row.feature_extractor),
    input_schema: JSON.parse(row.input_schema),
    output_schema: JSON.parse(row.output_schema),
    vector_indexes: JSON.parse(row.vector_indexes),
    payload_indexes: JSON.parse(row.payload_indexes),
    source_lineage: JSON.parse(row.source_lineage),
    source_bucket_schemas: parsed(row.source_bucket_schemas),
    metadata: parsed(row.metadata),
  }
}

const parsed = (json: string | null) => (json === null ? null : JSON.parse(json))

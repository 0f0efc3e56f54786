import { canonicalMappings } from '../../core/collections/check-mappings.ts'
import type { FieldsSchema } from '../../core/collections/config.ts'
import { outputSchema } from '../../core/collections/output-schema.ts'
import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { Registry } from '../../extractors/registry.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import { type Db, inTransaction, isUniqueViolation } from '../../platform/db/db.ts'
import type { Models } from '../../platform/models/models.ts'
import { announceCollection } from './announce.ts'
import { refuseAttachments } from './attachments.ts'
import { checkParameters, checkParams, findExtractor, planExtractor } from './extractor-config.ts'
import { ensureListed, findListed, readNamespaceLists } from './namespace-extractors.ts'
import { type CollectionRecord, findCollection } from './record.ts'
import type { CreateCollectionBody } from './schemas.ts'
import { resolveSource } from './source.ts'
import { checkSourceFilters } from './source-filters.ts'
import * as store from './store.ts'

/** Names that static path segments would hide. */
const RESERVED_NAMES = ['list', 'features']

type Context = { db: Db; extractors: Registry; models: Pick<Models, 'describe'> }

/** Checks a collection to be in the order of the contract and saves it. No model is needed for that. */
export async function createCollection(
  { db, extractors, models }: Context,
  scope: Scope,
  body: CreateCollectionBody,
): Promise<CollectionRecord> {
  const { collection_name } = body
  await checkName(db, scope, collection_name)
  const source = await resolveSource(db, scope, body.source)
  checkSourceFilters(source.stored)
  const schema = (body.input_schema as FieldsSchema | null | undefined) ?? source.schema

  const extractor = findExtractor(extractors, body.feature_extractor)
  const listing = { feature_extractor_name: extractor.name, version: extractor.version }
  const lists = await readNamespaceLists(db, scope)
  const params = checkParams(findListed(lists, listing), body.feature_extractor.params)
  const parameters = checkParameters(extractor, body.feature_extractor.parameters)
  const { feature_extractor, outputs, vector_indexes } = planExtractor({
    extractor,
    sent: body.feature_extractor,
    params,
    parameters,
    schema,
    source_vectors: source.vector_indexes,
    models,
  })
  refuseAttachments(body)

  const input_schema = schema ?? { properties: {} }
  const output_schema = outputSchema({
    feature_extractor: {
      ...feature_extractor,
      input_mappings: canonicalMappings(feature_extractor.input_mappings),
    },
    input_schema,
    outputs,
    vector_indexes,
    source_vectors: source.vector_indexes.map(({ index }) => index.name),
  })
  const collection_id = newId.collection()
  const now = timestamp()
  const row = {
    collection_id,
    collection_name,
    description: body.description ?? null,
    enabled: body.enabled ? 1 : 0,
    created_at: now,
    updated_at: now,
    schema_version: 1,
    schema_sync_enabled: 1,
    document_count: 0,
    source: JSON.stringify(source.stored),
    feature_extractor: JSON.stringify(feature_extractor),
    input_schema: JSON.stringify(input_schema),
    output_schema: JSON.stringify(output_schema),
    vector_indexes: JSON.stringify(vector_indexes),
    payload_indexes: JSON.stringify(lists.payload_indexes),
    source_lineage: JSON.stringify([
      ...source.lineage,
      { source_config: source.stored, feature_extractor, output_schema },
    ]),
    source_bucket_schemas: source.bucket_schemas && JSON.stringify(source.bucket_schemas),
    metadata: body.metadata ? JSON.stringify(body.metadata as JsonObject) : null,
  }
  const sources = { source_type: source.stored.type, source_ids: source.source_ids }
  try {
    await inTransaction(db, async (trx) => {
      await ensureListed(trx, scope, { ...listing, ...(params && { params }) })
      await store.insertCollection(trx, scope, row, sources)
      await recordAudit(trx, scope, {
        action: 'collection_created',
        resource_type: 'collection',
        resource_id: collection_id,
        changes: { collection_name: { new: collection_name }, source: { new: source.stored } },
      })
      await announceCollection(trx, scope, 'created', row)
    })
  } catch (error) {
    // Another request took the name since it was looked up.
    if (isUniqueViolation(error)) throw nameTaken(collection_name)
    throw error
  }
  return findCollection(db, scope, collection_id)
}

/** Throws `reserved_name` or `collection_name_taken`. */
export async function checkName(db: Db, scope: Scope, collection_name: string): Promise<void> {
  if (RESERVED_NAMES.includes(collection_name))
    throw new KuraError('reserved_name', { name: collection_name })
  if (await store.isNameTaken(db, scope, collection_name)) throw nameTaken(collection_name)
}

export const nameTaken = (collection_name: string) =>
  new KuraError('collection_name_taken', { collection_name })

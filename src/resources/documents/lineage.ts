import { isObject, type JsonObject, omitNulls } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { type DocumentRecord, readDocuments } from '../../engine/documents/record.ts'
import type { Db } from '../../platform/db/db.ts'
import { collectionsByIds } from '../collections/index.ts'
import type { DocumentLineage } from './lineage-schemas.ts'
import * as store from './lineage-store.ts'

/** More tiers than any pipeline has; bounds the walk should stored parents ever form a circle. */
const TIERS_MAX = 100

type Step = {
  document_id: string
  collection_id: string | null
  feature_extractor_id: string | null
  timestamp: string | null
}

/** Where a document comes from, from the root object down to itself; ancestors that are gone are marked. */
export async function documentLineage(
  db: Db,
  scope: Scope,
  document: DocumentRecord,
): Promise<DocumentLineage> {
  const lineage = isObject(document.internal.lineage) ? (document.internal.lineage as JsonObject) : {}
  const steps = await stepsOf(db, scope, document, lineage)
  const known = await readDocuments(db, scope, { document_ids: steps.map(({ document_id }) => document_id) })
  const present = new Map(known.map((one) => [one.document_id, one]))
  const names = await collectionsByIds(
    db,
    scope,
    steps.flatMap(({ collection_id }) => collection_id ?? []),
  )
  const documents = steps.map((step) => {
    const collection_id = present.get(step.document_id)?.collection_id ?? step.collection_id
    const collection = collection_id === null ? undefined : names.get(collection_id)
    return omitNulls({
      type: 'document',
      collection_id,
      collection_name: collection?.collection_name ?? null,
      feature_extractor_id:
        step.feature_extractor_id ?? collection?.feature_extractor.feature_extractor_id ?? null,
      document_id: step.document_id,
      timestamp: step.timestamp,
      missing: present.has(step.document_id) ? null : true,
    })
  })
  const root = await rootStep(db, scope, document)
  const chain = [...root, ...documents].map((step, i) => ({ step: i, ...step }))
  return omitNulls({
    document_id: document.document_id,
    collection_id: document.collection_id,
    root_object_id: document.root_object_id,
    root_bucket_id: document.root_bucket_id,
    source_type: textOf(lineage.source_type),
    lineage_path: textOf(lineage.path),
    processing_tier: typeof lineage.processing_tier === 'number' ? lineage.processing_tier : null,
    chain,
    parents: chain.slice(-2, -1),
    children_count: await store.countChildren(db, scope, document.document_id),
  }) as DocumentLineage
}

/** The documents on the way: as they were written down, else by following the parents that still exist. */
async function stepsOf(
  db: Db,
  scope: Scope,
  document: DocumentRecord,
  { chain }: JsonObject,
): Promise<Step[]> {
  const own: Step = {
    document_id: document.document_id,
    collection_id: document.collection_id,
    feature_extractor_id: null,
    timestamp: document.created_at,
  }
  const written = Array.isArray(chain)
    ? chain.flatMap((step) => (isObject(step) ? writtenStep(step) : []))
    : []
  if (written.length > 0)
    return written.at(-1)!.document_id === document.document_id ? written : [...written, own]
  const steps = [own]
  let parent_id = document.source_document_id
  while (parent_id !== null && steps.length < TIERS_MAX) {
    const [parent] = await readDocuments(db, scope, { document_ids: [parent_id] })
    steps.unshift({
      document_id: parent_id,
      collection_id: parent?.collection_id ?? null,
      feature_extractor_id: null,
      timestamp: parent?.created_at ?? null,
    })
    parent_id = parent?.source_document_id ?? null
  }
  return steps
}

function writtenStep(step: Record<string, unknown>): Step[] {
  const document_id = textOf(step.document_id)
  if (document_id === null) return []
  return [
    {
      document_id,
      collection_id: textOf(step.collection_id),
      feature_extractor_id: textOf(step.feature_extractor_id),
      timestamp: textOf(step.timestamp),
    },
  ]
}

async function rootStep(db: Db, scope: Scope, { root_object_id, root_bucket_id }: DocumentRecord) {
  if (root_object_id === null) return []
  const object = await store.findObject(db, scope, root_object_id)
  return [
    omitNulls({
      type: 'object',
      bucket_id: object?.bucket_id ?? root_bucket_id,
      object_id: root_object_id,
      key_prefix: object?.key_prefix ?? null,
      missing: object ? null : true,
    }),
  ]
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)

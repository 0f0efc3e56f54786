import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, inSnapshot } from '../../platform/db/db.ts'
import {
  type CollectionRecord,
  collectionsByIds,
  listConsumers,
  sourceCollections,
} from '../collections/index.ts'
import type { DecompositionTree } from './lineage-schemas.ts'
import * as store from './lineage-store.ts'

type Node = {
  type: 'bucket' | 'collection'
  id: string
  name: string
  tier: number
  feature_extractor_id?: string
  document_count?: number
  document_ids?: string[]
  children: Node[]
}

type Options = { include_document_ids: boolean }

/**
 * What became of an object: its bucket, the collections that read it, and those that read them, also
 * where they have made nothing of it. Throws `object_not_found` when there is neither object nor document.
 */
export function decompositionTree(
  db: Db,
  scope: Scope,
  object_id: string,
  { include_document_ids }: Options,
): Promise<DecompositionTree> {
  return inSnapshot(db, async (trx) => {
    const counts = await store.countByCollection(trx, scope, object_id)
    const object = await store.findObject(trx, scope, object_id)
    if (!object && counts.length === 0)
      throw new KuraError('object_not_found', { resource: 'object', id: object_id })
    const bucket_id =
      object?.bucket_id ?? counts.find(({ root_bucket_id }) => root_bucket_id)?.root_bucket_id ?? null
    const consumers = bucket_id === null ? [] : await listConsumers(trx, scope, { bucket_id })
    // Disabled collections are no consumers any more, but keep what they made.
    const holders = await collectionsByIds(
      trx,
      scope,
      counts.map(({ collection_id }) => collection_id),
    )
    const collections = new Map([...consumers.map((one) => [one.collection_id, one] as const), ...holders])
    const ids = include_document_ids ? await store.listDerivedIds(trx, scope, object_id) : null
    const nodes = new Map(
      [...collections.values()].map((collection) => [
        collection.collection_id,
        nodeOf(collection, counts, ids),
      ]),
    )
    const name = bucket_id === null ? null : await store.findBucketName(trx, scope, bucket_id)
    const tree: Node = {
      type: 'bucket',
      id: bucket_id ?? '',
      name: name ?? bucket_id ?? '',
      tier: 0,
      children: [],
    }
    for (const collection of collections.values()) {
      // A collection of several sources hangs under the first of them, so that it is counted once.
      const parent = sourceCollections(collection.source).find((source) => nodes.has(source))
      const above = parent === undefined ? tree : nodes.get(parent)!
      above.children.push(nodes.get(collection.collection_id)!)
    }
    return {
      object_id,
      ...(bucket_id !== null && { bucket_id }),
      total_documents: counts.reduce((sum, { count }) => sum + count, 0),
      max_tier: numberTiers(tree, 0),
      tree,
    }
  })
}

function nodeOf(
  { collection_id, collection_name, feature_extractor }: CollectionRecord,
  counts: readonly store.DocumentCount[],
  ids: ReadonlyMap<string, string[]> | null,
): Node {
  return {
    type: 'collection',
    id: collection_id,
    name: collection_name,
    tier: 0,
    feature_extractor_id: feature_extractor.feature_extractor_id,
    document_count: counts.find((one) => one.collection_id === collection_id)?.count ?? 0,
    ...(ids && { document_ids: ids.get(collection_id) ?? [] }),
    children: [],
  }
}

/** Sets the tier of every node below and returns the deepest. */
function numberTiers(node: Node, tier: number): number {
  node.tier = tier
  return Math.max(tier, ...node.children.map((child) => numberTiers(child, tier + 1)))
}

import type { Selectable } from 'kysely'
import type { Schema } from '../../../platform/db/schema.ts'
import type { CloneContext } from './context.ts'

/** The numbers under which texts of a collection are kept. */
export type CopiedCollection = { source_seq: number; target_seq: number }

/** Copies the collections without their documents; by old collection id. */
export async function copyCollections(context: CloneContext): Promise<Map<string, CopiedCollection>> {
  const { snapshot, source, target, ids, cloned, write } = context
  const copied = new Map<string, CopiedCollection>()
  const rows = await snapshot
    .selectFrom('collections')
    .selectAll()
    .where('namespace_id', '=', source.namespaceId)
    .orderBy('collection_seq')
    .execute()
  for (const row of rows) {
    const sources = await snapshot
      .selectFrom('collection_sources')
      .selectAll()
      .where('namespace_id', '=', source.namespaceId)
      .where('collection_id', '=', row.collection_id)
      .execute()
    const target_seq = await write(async (trx) => {
      const { collection_seq } = await trx
        .insertInto('collections')
        .values(copyOf(context, row))
        .returning('collection_seq')
        .executeTakeFirstOrThrow()
      if (sources.length > 0)
        await trx
          .insertInto('collection_sources')
          .values(
            sources.map(({ source_type, source_id }) => ({
              namespace_id: target.namespaceId,
              collection_id: ids.of(row.collection_id),
              source_type,
              source_id: ids.of(source_id),
            })),
          )
          .execute()
      return collection_seq
    })
    copied.set(row.collection_id, { source_seq: row.collection_seq, target_seq })
    cloned.collections += 1
  }
  return copied
}

/** Documents are counted when they come. */
function copyOf({ target, ids }: CloneContext, row: Selectable<Schema['collections']>) {
  const { collection_seq: _seq, ...rest } = row
  return {
    ...rest,
    namespace_id: target.namespaceId,
    collection_id: ids.of(row.collection_id),
    document_count: 0,
    source: ids.configuration(row.source),
    source_lineage: ids.configuration(row.source_lineage),
    source_bucket_schemas: ids.configuration(row.source_bucket_schemas),
    feature_extractor: ids.configuration(row.feature_extractor),
    taxonomy_applications: ids.configuration(row.taxonomy_applications),
    cluster_applications: ids.configuration(row.cluster_applications),
    alert_applications: ids.configuration(row.alert_applications),
    retriever_enrichments: ids.configuration(row.retriever_enrichments),
  }
}

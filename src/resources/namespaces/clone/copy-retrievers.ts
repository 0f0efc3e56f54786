import type { CloneContext } from './context.ts'

/** Copies the retrievers; one whose collections are not all in the clone is left out. */
export async function copyRetrievers(
  { snapshot, source, target, ids, cloned, warnings, write }: CloneContext,
  copied_collections: ReadonlySet<string>,
): Promise<void> {
  const rows = await snapshot
    .selectFrom('retrievers')
    .selectAll()
    .where('namespace_id', '=', source.namespaceId)
    .execute()
  for (const row of rows) {
    const collection_ids = JSON.parse(row.collection_ids) as string[]
    if (!collection_ids.every((id) => copied_collections.has(id))) {
      warnings.add(
        `Retriever "${row.retriever_name}" was left out: it reads collections that were not cloned.`,
      )
      continue
    }
    await write((trx) =>
      trx
        .insertInto('retrievers')
        .values({
          ...row,
          namespace_id: target.namespaceId,
          retriever_id: ids.of(row.retriever_id),
          collection_identifiers: ids.configuration(row.collection_identifiers),
          collection_ids: ids.configuration(row.collection_ids),
          stages: ids.configuration(row.stages),
          input_schema: ids.configuration(row.input_schema),
          cache_config: ids.configuration(row.cache_config),
          display_config: ids.configuration(row.display_config),
        })
        .execute(),
    )
    cloned.retrievers += 1
  }
}

import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { Trx } from '../../platform/db/db.ts'

/**
 * Takes objects that are being deleted out of the batches that have not been submitted. A running
 * batch keeps them and records that they were missing.
 */
export async function dropObjectsFromDrafts(
  trx: Trx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  object_ids: readonly string[],
): Promise<void> {
  const entries = await trx
    .selectFrom('batch_objects')
    .innerJoin('batches', (join) =>
      join
        .onRef('batches.namespace_id', '=', 'batch_objects.namespace_id')
        .onRef('batches.batch_id', '=', 'batch_objects.batch_id'),
    )
    .select(['batch_objects.batch_id', 'batch_objects.object_id'])
    .where('batch_objects.namespace_id', '=', namespaceId)
    .where('batch_objects.object_id', 'in', object_ids)
    .where('batches.status', '=', 'DRAFT')
    // One order for all writers, so that two deletions never wait for each other.
    .orderBy('batch_objects.batch_id')
    .execute()
  for (const { batch_id, object_id } of entries) {
    const { numDeletedRows } = await trx
      .deleteFrom('batch_objects')
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .where('object_id', '=', object_id)
      .executeTakeFirst()
    await trx
      .updateTable('batches')
      .set((eb) => ({
        object_count: eb('object_count', '-', Number(numDeletedRows)),
        updated_at: timestamp(),
      }))
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .execute()
  }
}

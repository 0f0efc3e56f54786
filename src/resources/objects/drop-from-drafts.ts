import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { dialect, type Trx } from '../../platform/db/db.ts'

/**
 * Takes objects that are being deleted out of the batches that have not been submitted. A running
 * batch keeps them and records that they were missing. Comes before the objects are locked: whoever
 * holds a batch goes on to its objects, so that the other order would end in deadlocks.
 */
export async function dropObjectsFromDrafts(
  trx: Trx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  object_ids: readonly string[],
): Promise<void> {
  const drafts = trx
    .selectFrom('batches')
    .select('batch_id')
    .where('namespace_id', '=', namespaceId)
    .where('status', '=', 'DRAFT')
    .where('batch_id', 'in', (eb) =>
      eb
        .selectFrom('batch_objects')
        .select('batch_id')
        .where('namespace_id', '=', namespaceId)
        .where('object_id', 'in', object_ids),
    )
    // One order for all writers, so that two deletions never wait for each other.
    .orderBy('batch_id')
  const held = await (dialect(trx) === 'postgres' ? drafts.forUpdate() : drafts).execute()
  for (const { batch_id } of held) {
    const { numDeletedRows } = await trx
      .deleteFrom('batch_objects')
      .where('namespace_id', '=', namespaceId)
      .where('batch_id', '=', batch_id)
      .where('object_id', 'in', object_ids)
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

import type { Scope } from '../../core/scope.ts'
import type { Trx } from '../../platform/db/db.ts'
import type { SyncBucket, SyncDeps, SyncWriter } from './deps.ts'
import { forgetItem, type ItemRow, otherItemOf, saveItem, unseenItems } from './items.ts'
import type { RunRow, SyncRow } from './runs.ts'

/** Items removed in one transaction: documents and files go with them, and no writer waits long. */
const SLICE_ITEMS = 20

/** Removes objects of items that a whole listing did not name, slice by slice. Returns how many objects went. */
export async function deleteVanished(
  deps: Pick<SyncDeps, 'db' | 'objects'>,
  scope: Scope,
  { sync, run, bucket }: { sync: SyncRow; run: RunRow; bucket: SyncBucket },
  inEach: (trx: Trx, deleted: number) => Promise<void>,
): Promise<number> {
  let deleted = 0
  for (;;) {
    const gone = await unseenItems(deps.db, sync, { before_run: run.run_number, limit: SLICE_ITEMS })
    if (gone.length === 0) return deleted
    deleted += await deps.objects.write(scope, bucket, async (writer) => {
      let count = 0
      for (const row of gone) if (await removeItem(writer, row)) count++
      await inEach(writer.trx, deleted + count)
      return count
    })
  }
}

/** An object that stands for another file too, or was not made for this one, stays. */
async function removeItem(writer: SyncWriter, row: ItemRow): Promise<boolean> {
  // Another sync of the bucket may have met the file since the row was read.
  if (!(await forgetItem(writer.trx, row))) return false
  if (row.object_id === null || row.owns_object !== 1) return false
  const other = await otherItemOf(writer.trx, row)
  if (!other) return writer.remove(row.object_id)
  await saveItem(writer.trx, { ...other, owns_object: 1 }, true)
  return false
}

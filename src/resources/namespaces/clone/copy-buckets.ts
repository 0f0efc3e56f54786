import type { Selectable } from 'kysely'
import type { BlobEntry } from '../../../core/blob-entry.ts'
import type { Trx } from '../../../platform/db/db.ts'
import type { Schema } from '../../../platform/db/schema.ts'
import {
  DELETING as BUCKET_DELETING,
  type BucketRow,
  changeObjectStats,
  copyBucket,
  setLastUpload,
} from '../../buckets/index.ts'
import type { CloneContext } from './context.ts'
import { filesOf, shareOwned } from './owned-files.ts'

/** Objects copied in one transaction. */
const SLICE_OBJECTS = 250

/** States of an object that a batch of the source is working on; the clone has no batches. */
const IN_BATCH = ['PENDING', 'IN_PROGRESS', 'PROCESSING']

/** Copies the buckets with their objects. A bucket that is being deleted is left out. */
export async function copyBuckets(context: CloneContext): Promise<void> {
  const { snapshot, source, target, ids, cloned, warnings, write } = context
  const rows = await snapshot
    .selectFrom('buckets')
    .selectAll()
    .where('namespace_id', '=', source.namespaceId)
    .orderBy('bucket_seq')
    .execute()
  for (const row of rows) {
    if (row.status === BUCKET_DELETING) {
      warnings.add(`Bucket "${row.bucket_name}" was left out: it is being deleted.`)
      continue
    }
    const bucket_id = ids.of(row.bucket_id)
    if (row.source_adapter !== null)
      warnings.add(
        `Bucket "${row.bucket_name}" has no source adapter in the clone: set it anew, with its secrets.`,
      )
    await write((trx) => copyBucket(trx, target, { ...row, source_adapter: null }, bucket_id))
    await copyObjects(context, row)
    await write((trx) => setLastUpload(trx, target, bucket_id, row.last_upload_at))
    cloned.buckets += 1
  }
}

async function copyObjects(context: CloneContext, bucket: BucketRow): Promise<void> {
  const { snapshot, source, write } = context
  let after = ''
  for (;;) {
    const rows = await snapshot
      .selectFrom('objects')
      .selectAll()
      .where('namespace_id', '=', source.namespaceId)
      .where('bucket_id', '=', bucket.bucket_id)
      .where('object_id', '>', after)
      .orderBy('object_id')
      .limit(SLICE_OBJECTS)
      .execute()
    const last = rows.at(-1)
    if (!last) return
    after = last.object_id
    const object_ids = rows.map(({ object_id }) => object_id)
    const owned = await filesOf(snapshot, source.namespaceId, 'object', object_ids)
    context.cloned.objects += await write((trx) => insertObjects(context, trx, rows, owned))
  }
}

type ObjectRow = Selectable<Schema['objects']>

async function insertObjects(
  context: CloneContext,
  trx: Trx,
  rows: readonly ObjectRow[],
  owned: ReadonlyMap<string, readonly string[]>,
): Promise<number> {
  const { target, ids, warnings, advance } = context
  const lost = await shareOwned(context, trx, 'object', owned)
  const kept = rows.filter(({ object_id }) => !lost.has(object_id))
  warnings.add('An object was left out: it was deleted while the namespace was cloned.', lost.size)
  await advance(trx, rows.length)
  if (kept.length === 0) return 0
  await trx
    .insertInto('objects')
    .values(kept.map((row) => copyOf(context, row)))
    .execute()
  const added = kept.map(({ size_bytes }) => size_bytes)
  await changeObjectStats(trx, target, ids.of(kept[0]!.bucket_id), { added, removed: [] })
  return kept.length
}

function copyOf({ target, ids }: CloneContext, row: ObjectRow): ObjectRow {
  const source_details = JSON.parse(row.source_details) as { source_id?: unknown }[]
  const blobs = JSON.parse(row.blobs) as BlobEntry[]
  return {
    ...row,
    namespace_id: target.namespaceId,
    object_id: ids.of(row.object_id),
    bucket_id: ids.of(row.bucket_id),
    status: IN_BATCH.includes(row.status) ? 'DRAFT' : row.status,
    source_details: JSON.stringify(
      source_details.map((entry) =>
        typeof entry.source_id === 'string' ? { ...entry, source_id: ids.of(entry.source_id) } : entry,
      ),
    ),
    fields: ids.addresses(row.fields),
    blobs: ids.addresses(
      JSON.stringify(
        blobs.map((blob) => ({
          ...blob,
          blob_id: ids.of(blob.blob_id),
          file_id: ids.ofNullable(blob.file_id),
        })),
      ),
    ),
  }
}

import type { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { Db, Trx } from '../../platform/db/db.ts'
import { type BucketRecord, findBucket, requireWritable } from '../buckets/index.ts'
import type { createObjectIntake, PreparedObject } from '../objects/index.ts'
import type { AdapterConfig } from './config.ts'
import { type EventRow, lockSource, updateEvent, updateSource } from './event-store.ts'
import type { Item } from './item.ts'

type ObjectIntake = ReturnType<typeof createObjectIntake>

export type ApplyDeps = {
  db: Db
  intake: ObjectIntake
  /** Makes and submits a batch of objects in the transaction that writes them. */
  submit(trx: Trx, scope: Scope, bucket_id: string, object_ids: string[]): Promise<unknown>
}

type Target = { scope: Scope; bucket_id: string; config: AdapterConfig }

/**
 * Does what one event tells: the object, what is known of its source and the end of the event commit
 * together, so an event that is applied twice changes nothing the second time. Throws what writing the
 * object throws.
 */
export async function applyEvent(
  deps: ApplyDeps,
  { scope, bucket_id, config }: Target,
  event: EventRow,
  signal: AbortSignal,
): Promise<void> {
  const bucket = await findBucket(deps.db, scope, bucket_id)
  requireWritable(bucket)
  const { fields, blobs } = JSON.parse(event.item) as Pick<Item, 'fields' | 'blobs'>
  const prepared =
    event.action === 'put'
      ? await deps.intake.prepare(
          scope,
          bucket,
          { fields, blobs, file: null, skip_duplicates: false },
          signal,
        )
      : null
  try {
    await deps.intake.write(scope, bucket, (writer) =>
      write(deps, { scope, bucket, config }, event, prepared, writer),
    )
  } finally {
    if (prepared) await deps.intake.discard(prepared)
  }
}

type Writer = Parameters<Parameters<ObjectIntake['write']>[2]>[0]

async function write(
  deps: ApplyDeps,
  { scope, bucket, config }: { scope: Scope; bucket: BucketRecord; config: AdapterConfig },
  event: EventRow,
  prepared: PreparedObject | null,
  writer: Writer,
): Promise<void> {
  const { trx } = writer
  const place = { namespaceId: scope.namespaceId, bucket_id: bucket.bucket_id }
  const { source_key, sequencer } = event
  const known = source_key === null ? null : await lockSource(trx, place, source_key)
  if (known && isOlder(sequencer, known.sequencer)) {
    const error = 'A later change of the same file was here before.'
    await updateEvent(trx, place, event, { status: 'ignored', error, item: '{}' })
    return
  }
  // Another run of the same event may have ended meanwhile.
  if (!(await updateEvent(trx, place, event, { status: 'processed', error: null, item: '{}' }))) return
  const object_id = prepared
    ? await put(writer, prepared, known?.object_id ?? null)
    : await remove(writer, known?.object_id ?? null)
  const kept_id = prepared ? object_id : null
  if (source_key !== null) await updateSource(trx, place, source_key, { object_id: kept_id, sequencer })
  await updateEvent(trx, place, { ...event, status: 'processed' }, { object_id })
  if (config.auto_process && kept_id !== null) await deps.submit(trx, scope, bucket.bucket_id, [kept_id])
}

/** What was made from the source before is changed; what was deleted here meanwhile is made anew. */
async function put(writer: Writer, prepared: PreparedObject, known_id: string | null): Promise<string> {
  const result =
    (known_id === null ? null : await writer.update(known_id, prepared)) ??
    (await writer.create([prepared]))[0]!
  if ('error' in result) throw result.error
  return result.object.object_id
}

async function remove(writer: Writer, known_id: string | null): Promise<string | null> {
  if (known_id !== null) await writer.remove(known_id)
  return known_id
}

/** Sequencers of one kind compare as texts; of different kinds nothing can be said. */
function isOlder(sequencer: string | null, known: string | null): boolean {
  if (sequencer === null || known === null) return false
  const kindOf = (text: string) => text.slice(0, text.indexOf(':'))
  return kindOf(sequencer) === kindOf(known) && sequencer < known
}

/** Faults of others that may pass: the file is not there yet, a server is busy. */
export const mayPass = (error: KuraError): boolean => error.row.retryable || error.code === 'url_not_usable'

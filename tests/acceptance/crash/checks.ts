import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Receiver } from './receiver.ts'
import { call, DEADLINE_MS, type Server, send } from './server.ts'
import type { Acknowledged, Batch } from './workload.ts'

type Tier = { collection_ids: string[]; documents_written: number }
/** A batch that has ended, with what its tiers say they wrote. */
export type EndedBatch = Batch & { tier_tasks: Tier[] }

/** Waits for every batch that was submitted; each MUST have done all of its rows. */
export async function awaitBatches(server: Server, batches: readonly Batch[]): Promise<EndedBatch[]> {
  const ended: EndedBatch[] = []
  for (const batch of batches) {
    const until = performance.now() + DEADLINE_MS
    for (;;) {
      const task = await call(server, 'GET', `/tasks/${batch.task_id}`)
      if (task.status !== 'PENDING' && task.status !== 'IN_PROGRESS') break
      assert.ok(performance.now() < until, `batch ${batch.batch_id} ends`)
      await sleep(50)
    }
    const shown = await call(server, 'GET', `/batches/${batch.batch_id}`)
    assert.equal(shown.status, 'COMPLETED', JSON.stringify(shown))
    ended.push({ ...batch, tier_tasks: shown.tier_tasks as unknown as Tier[] })
  }
  return ended
}

/** Waits until the receiver knows of every object and of every document that was written, and of nothing twice. */
export async function awaitEvents(
  receiver: Receiver,
  { objects, uploads }: Acknowledged,
  batches: readonly EndedBatch[],
): Promise<void> {
  const object_ids = [...objects.values(), ...uploads.map(({ object_id }) => object_id)].sort()
  const created = () =>
    receiver
      .of('object.created')
      .map(({ subject }) => subject.id)
      .sort()
  const until = performance.now() + DEADLINE_MS
  const isComplete = () =>
    created().length >= object_ids.length &&
    batches.every((batch) => writtenDocuments(receiver, batch).every(([told, written]) => told === written))
  while (!isComplete() && performance.now() < until) await sleep(200)
  assert.deepEqual(created(), object_ids, 'each object was told of once, under one event')
  for (const batch of batches)
    for (const [told, written] of writtenDocuments(receiver, batch))
      assert.equal(told, written, `events of ${batch.batch_id} tell of each document that it wrote`)
}

/** Documents that events tell of, and that were written, for each tier. */
function writtenDocuments(receiver: Receiver, { batch_id, tier_tasks }: EndedBatch): [number, number][] {
  return tier_tasks.map(({ collection_ids, documents_written }) => {
    const told = receiver
      .of('collection.documents.written')
      .filter(
        ({ metadata, subject }) => metadata.batch_id === batch_id && collection_ids.includes(subject.id),
      )
      .reduce((sum, { metadata }) => sum + Number(metadata.document_count), 0)
    return [told, documents_written]
  })
}

/** Counters of a bucket against what was acknowledged. */
export async function checkBucket(
  server: Server,
  bucket_id: string,
  { objects, batches }: { objects: number; batches: readonly Batch[] },
): Promise<void> {
  const bucket = await call(server, 'GET', `/buckets/${bucket_id}`)
  assert.equal(bucket.object_count, objects, 'every object is there, once')
  const { active, completed, failed } = bucket.batch_stats as unknown as Record<string, number>
  const own = batches.filter((batch) => batch.bucket_id === bucket_id).length
  // Whose creation was not answered was created again, and stays a draft.
  const drafts = await call(server, 'POST', `/buckets/${bucket_id}/batches/list`, { status: 'DRAFT' })
  assert.deepEqual([active, completed, failed], [drafts.total_count, own, 0], 'the bucket counts its batches')
}

/** Each of the objects has its document in a collection, and no other document is there. */
export async function checkDocuments(
  server: Server,
  collection_id: string,
  object_ids: readonly string[],
): Promise<void> {
  const { document_count } = await call(server, 'GET', `/collections/${collection_id}`)
  assert.equal(document_count, object_ids.length, 'the document count is what it should be')
  const roots = await rootsOf(server, collection_id)
  assert.equal(roots.length, object_ids.length, 'no document is missing or there twice')
  assert.deepEqual(new Set(roots), new Set(object_ids), 'each object has its document')
}

/** The root object of every document of a collection. */
async function rootsOf(server: Server, collection_id: string): Promise<string[]> {
  const roots: string[] = []
  let cursor: unknown = null
  do {
    const page = (await call(server, 'POST', `/collections/${collection_id}/documents/list`, {
      limit: 500,
      cursor,
    })) as unknown as {
      results: { _internal: { lineage: { root_object_id: string } } }[]
      pagination: { next_cursor?: string }
    }
    roots.push(...page.results.map(({ _internal }) => _internal.lineage.root_object_id))
    cursor = page.pagination.next_cursor ?? null
  } while (cursor !== null)
  return roots
}

/** Every uploaded file can be read, byte by byte as it was sent. */
export async function checkFiles(
  server: Server,
  bucket_id: string,
  { uploads }: Acknowledged,
): Promise<void> {
  for (const { object_id, sha256, file_hash } of uploads) {
    assert.equal(file_hash, sha256)
    const object = await call(
      server,
      'GET',
      `/buckets/${bucket_id}/objects/${object_id}?return_presigned_urls=true`,
    )
    const [blob] = object.blobs as unknown as { properties: { presigned_url: string } }[]
    const bytes = await send(`file of ${object_id}`, () => fetch(blob!.properties.presigned_url))
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256, `the file of ${object_id}`)
  }
}

/** Files of the blob store, whole ones and remains. */
export const storedFiles = (home: string): string[] =>
  readdirSync(join(home, 'blobs'), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** Makes everything in the blob store old enough for the sweep. */
export function age(home: string): void {
  const two_days_ago = new Date(Date.now() - 2 * 24 * 3600_000)
  for (const file of storedFiles(home)) utimesSync(file, two_days_ago, two_days_ago)
}

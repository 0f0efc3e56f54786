import type { Client } from '../client.ts'
import { Progress } from '../progress.ts'
import { type LocalFile, scan } from './files.ts'
import { BATCH_OBJECTS_MAX, submit, waitFor } from './process.ts'
import { ensureSetup } from './setup.ts'
import { requests, upload } from './upload.ts'

export type IngestReport = {
  bucket: string
  retriever: string
  found: number
  /** In the bucket already, unchanged and processed. */
  unchanged: number
  uploaded: number
  processed: number
  failed: { path: string; reason: string }[]
  skipped: { path: string; reason: string }[]
  took_ms: number
}

type KnownObject = {
  object_id: string
  path?: string
  modified_at?: string
  size_bytes?: number
  status: string
}

/**
 * Puts a folder into a bucket and processes it. Files that an earlier run has finished are left
 * alone, those it only uploaded are processed now, changed ones are overwritten: running again
 * never makes doubles, because the path is the unique key.
 */
export async function ingest(
  client: Client,
  { folder, bucket, quiet = false }: { folder: string; bucket: string; quiet?: boolean },
): Promise<IngestReport> {
  const start_ms = performance.now()
  const { files, skipped } = await scan(folder)
  const setup = await ensureSetup(client, bucket)
  const known = await knownObjects(client, bucket)
  const todo = files.filter((file) => !isUploaded(file, known.get(file.path)))
  const waiting = files.flatMap((file) => {
    const object = known.get(file.path)
    return isUploaded(file, object) && !isProcessed(object) ? [object!] : []
  })

  const progress = new Progress({ quiet })
  const work = new IngestWork(client, bucket, progress, todo.length, todo.length + waiting.length)
  for (const object of waiting) work.remember(object.object_id, object.path ?? object.object_id)
  try {
    await work.add(waiting.map((object) => object.object_id))
    for (const group of requests(todo)) {
      const { object_ids, failures } = await upload(client, bucket, group)
      await work.uploaded(group, object_ids, failures)
    }
    await work.finish()
  } finally {
    progress.stop()
  }
  return {
    bucket,
    retriever: setup.retriever,
    found: files.length,
    unchanged: files.length - todo.length - waiting.length,
    uploaded: work.uploadedCount,
    processed: work.processedCount,
    failed: work.failed,
    skipped,
    took_ms: performance.now() - start_ms,
  }
}

/** Batches are submitted while later files still travel; both sides show their own bar. */
class IngestWork {
  readonly #client: Client
  readonly #bucket: string
  readonly #uploadBar
  readonly #processBar
  readonly #running: Promise<void>[] = []
  readonly #progressOf = new Map<string, number>()
  readonly #paths = new Map<string, string>()
  readonly #total: number
  #pending: string[] = []
  #sent = 0
  uploadedCount = 0
  processedCount = 0
  readonly failed: { path: string; reason: string }[] = []

  constructor(client: Client, bucket: string, progress: Progress, uploads: number, total: number) {
    this.#client = client
    this.#bucket = bucket
    this.#total = total
    this.#uploadBar = progress.bar('upload')
    this.#uploadBar.total(uploads)
    this.#processBar = progress.bar('process')
    this.#processBar.total(total)
  }

  remember(object_id: string, path: string): void {
    this.#paths.set(object_id, path)
  }

  async uploaded(
    group: LocalFile[],
    object_ids: string[],
    failures: { path: string; reason: string }[],
  ): Promise<void> {
    const lost = new Set(failures.map(({ path }) => path))
    const sent = group.filter(({ path }) => !lost.has(path))
    object_ids.forEach((object_id, i) => {
      this.remember(object_id, sent[i]?.path ?? object_id)
    })
    this.failed.push(...failures)
    this.uploadedCount += object_ids.length
    this.#sent += group.length
    this.#uploadBar.done(this.#sent)
    this.#processBar.total(this.#total - this.failed.length)
    await this.add(object_ids)
  }

  async add(object_ids: string[]): Promise<void> {
    this.#pending.push(...object_ids)
    while (this.#pending.length >= BATCH_OBJECTS_MAX)
      await this.#submit(this.#pending.splice(0, BATCH_OBJECTS_MAX))
  }

  async finish(): Promise<void> {
    this.#uploadBar.stop()
    if (this.#pending.length > 0) await this.#submit(this.#pending.splice(0))
    await Promise.all(this.#running)
    this.#processBar.stop()
  }

  async #submit(object_ids: string[]): Promise<void> {
    const batch = await submit(this.#client, this.#bucket, object_ids)
    const watch = async () => {
      const { failures } = await waitFor(this.#client, this.#bucket, batch, (done) => {
        this.#progressOf.set(batch.batch_id, done)
        this.#processBar.done([...this.#progressOf.values()].reduce((sum, one) => sum + one, 0))
      })
      const failedObjects = new Set(failures.map(({ object_id }) => object_id))
      this.processedCount += object_ids.length - failedObjects.size
      for (const { object_id, reason } of failures)
        this.failed.push({ path: this.#paths.get(object_id) ?? object_id, reason })
    }
    this.#running.push(watch())
  }
}

async function knownObjects(client: Client, bucket: string): Promise<Map<string, KnownObject>> {
  const known = new Map<string, KnownObject>()
  let cursor: string | undefined
  do {
    const page = await client.call<{ results: KnownObject[]; pagination?: { next_cursor?: string } }>(
      'POST',
      `/v1/buckets/${encodeURIComponent(bucket)}/objects/list`,
      { limit: 1000, cursor, select: ['path', 'modified_at', 'size_bytes', 'status'] },
    )
    for (const object of page.results) if (object.path !== undefined) known.set(object.path, object)
    cursor = page.pagination?.next_cursor
  } while (cursor)
  return known
}

function isUploaded(file: LocalFile, object: KnownObject | undefined): boolean {
  return (
    object !== undefined && object.modified_at === file.modified_at && object.size_bytes === file.size_bytes
  )
}

/** FAILED counts as done: the same bytes would fail again. */
function isProcessed(object: KnownObject | undefined): boolean {
  return object !== undefined && ['COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED'].includes(object.status)
}

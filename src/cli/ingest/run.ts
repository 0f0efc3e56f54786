import type { Client } from '../client.ts'
import { Progress } from '../progress.ts'
import { INLINE_BYTES_MAX, type LocalFile, scan } from './files.ts'
import { eachObject, isProcessed, type KnownObject } from './known.ts'
import type { IngestReport } from './report.ts'
import { ensureSetup } from './setup.ts'
import { requests, upload, uploadLarge } from './upload.ts'
import { IngestWork } from './work.ts'

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
  const known = await knownFiles(client, bucket)
  const todo = files.filter((file) => !isUploaded(file, known.get(file.path)))
  const waiting = files.flatMap((file) => {
    const object = known.get(file.path)
    return isUploaded(file, object) && !isProcessed(object) ? [object!] : []
  })

  const progress = new Progress({ quiet })
  const work = new IngestWork(client, bucket, progress)
  work.expect(todo.length, todo.length + waiting.length)
  try {
    for (const { object_id, path } of waiting) await work.resume(object_id, path)
    const [inline, large] = [todo.filter(isInline), todo.filter((file) => !isInline(file))]
    for (const group of requests(inline)) {
      const { object_ids, failures } = await upload(client, bucket, group)
      await work.uploaded(group, object_ids, failures)
    }
    for (const file of large) {
      const { object_ids, failures } = await uploadLarge(client, bucket, file)
      await work.uploaded([file], object_ids, failures)
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

type UploadedFile = KnownObject & { path: string; modified_at?: string; size_bytes?: number }

async function knownFiles(client: Client, bucket: string): Promise<Map<string, UploadedFile>> {
  const known = new Map<string, UploadedFile>()
  for await (const object of eachObject(client, bucket, ['path', 'modified_at', 'size_bytes', 'status']))
    if (object.path !== undefined) known.set(String(object.path), object as UploadedFile)
  return known
}

function isUploaded(file: LocalFile, object: UploadedFile | undefined): boolean {
  return (
    object !== undefined && object.modified_at === file.modified_at && object.size_bytes === file.size_bytes
  )
}

const isInline = ({ size_bytes }: LocalFile) => size_bytes <= INLINE_BYTES_MAX

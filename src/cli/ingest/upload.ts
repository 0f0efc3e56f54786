import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ApiError, type Client } from '../client.ts'
import { uploadFile } from '../upload-file.ts'
import { createBatch, REQUEST_BYTES_MAX, REQUEST_OBJECTS_MAX } from './create.ts'
import type { FileField, LocalFile } from './files.ts'
import type { Failure } from './work.ts'

/** Files that travel together, in order. */
export function* requests(files: readonly LocalFile[]): Generator<LocalFile[]> {
  let group: LocalFile[] = []
  let size_bytes = 0
  for (const file of files) {
    if (
      group.length > 0 &&
      (group.length === REQUEST_OBJECTS_MAX || size_bytes + file.size_bytes > REQUEST_BYTES_MAX)
    ) {
      yield group
      group = []
      size_bytes = 0
    }
    group.push(file)
    size_bytes += file.size_bytes
  }
  if (group.length > 0) yield group
}

/** Creates or overwrites the objects of these files; a file that cannot be read or is refused fails alone. */
export async function upload(
  client: Client,
  bucket: string,
  files: readonly LocalFile[],
): Promise<{ object_ids: string[]; failures: Failure[] }> {
  const failures: Failure[] = []
  const sent: LocalFile[] = []
  const objects: unknown[] = []
  for (const file of files) {
    try {
      objects.push(toObject(file, await readFile(file.absolute)))
      sent.push(file)
    } catch (error) {
      failures.push({ path: file.path, reason: (error as Error).message })
    }
  }
  if (objects.length === 0) return { object_ids: [], failures }
  const answer = await createBatch(client, bucket, objects)
  for (const { object_index, error } of answer.failed)
    failures.push({ path: sent[object_index]?.path ?? '?', reason: error })
  return { object_ids: answer.succeeded.map(({ object_id }) => object_id), failures }
}

/** A file too large for a request, sent by itself and resumably. */
export async function uploadLarge(
  client: Client,
  bucket: string,
  file: LocalFile,
): Promise<{ object_ids: string[]; failures: Failure[] }> {
  const { absolute, field } = file
  try {
    const { object_id } = await uploadFile(client, {
      bucket,
      path: absolute,
      property: field,
      fields: fieldsOf(file),
      policy: 'upsert',
      content_type: MIME[field](basename(absolute)),
    })
    if (object_id === undefined) throw new ApiError(0, 'The upload made no object.', null)
    return { object_ids: [object_id], failures: [] }
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 0) throw error
    return { object_ids: [], failures: [{ path: file.path, reason: error.message }] }
  }
}

const fieldsOf = ({ path, modified_at, size_bytes }: LocalFile) => ({
  path,
  name: basename(path),
  modified_at,
  size_bytes,
})

function toObject(file: LocalFile, content: Buffer) {
  const { path, field } = file
  const filename = basename(path)
  return {
    ...fieldsOf(file),
    blobs: [
      {
        property: field,
        type: field,
        data: { base64: content.toString('base64'), filename, mime_type: MIME[field](filename) },
      },
    ],
  }
}

/** Only a hint: the server looks at the bytes. */
const MIME: Record<FileField, (filename: string) => string | undefined> = {
  text: (filename) =>
    /\.html?$/i.test(filename) ? 'text/html' : /\.docx$/i.test(filename) ? undefined : 'text/plain',
  image: () => undefined,
  pdf: () => 'application/pdf',
}

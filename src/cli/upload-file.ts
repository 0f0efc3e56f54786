import { createReadStream } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DetailedError, UrlStorage } from 'tus-js-client'
import { ApiError, type Client, refusedBy } from './client.ts'

/** Bytes of one request: what a broken connection can lose at most has always arrived before it. */
const CHUNK_BYTES = 64 * 1024 * 1024
const RETRY_DELAYS_MS = [0, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000]
const POLL_MS = 500

export type UploadOptions = {
  bucket: string
  path: string
  /** File property of the object; the server chooses the fitting one when absent. */
  property?: string | undefined
  /** Fields of the object that is made when the file has arrived. */
  fields?: Readonly<Record<string, unknown>>
  content_type?: string | undefined
  /** What a known unique key does; the default of the bucket when absent. */
  policy?: string | undefined
  onProgress?: (sent_bytes: number, total_bytes: number) => void
}

export type UploadedFile = { upload_id: string; object_id?: string; status: string; error?: string }

/**
 * Sends a file of any size by the tus protocol. A connection that breaks is taken up where it broke,
 * also by the next run of the program: where to go on is remembered in the user's cache folder.
 * Returns when the object exists; throws ApiError.
 */
export async function uploadFile(client: Client, options: UploadOptions): Promise<UploadedFile> {
  const { size } = await stat(options.path).catch((error: Error) => {
    throw new ApiError(0, error.message, null)
  })
  const address = await send(client, options, size)
  const upload_id = new URL(address).pathname.split('/').at(-1)!
  return settled(client, options.bucket, upload_id)
}

/** The types of the package describe its form for browsers, which keeps no file. */
type TusClient = typeof import('tus-js-client') & { FileUrlStorage: new (path: string) => UrlStorage }

async function send(client: Client, options: UploadOptions, size: number): Promise<string> {
  const { Upload, FileUrlStorage } = (await import('tus-js-client')) as unknown as TusClient
  const memory = await memoryFile()
  const source = createReadStream(options.path)
  const sent = new Promise<string>((resolve, reject) => {
    // The library reads the pieces through the path of the stream.
    const upload = new Upload(source as never, {
      endpoint: `${client.url}/v1/uploads/tus`,
      headers: client.headers,
      uploadSize: size,
      chunkSize: CHUNK_BYTES,
      retryDelays: RETRY_DELAYS_MS,
      metadata: metadataOf(options),
      urlStorage: new FileUrlStorage(memory),
      fingerprint: async () => fingerprint(client, options, size),
      removeFingerprintOnSuccess: true,
      onProgress: (sent) => options.onProgress?.(sent, size),
      onSuccess: () => resolve(upload.url!),
      onError: (error) => reject(asApiError(error)),
    })
    upload.findPreviousUploads().then(([previous]) => {
      if (previous) upload.resumeFromPreviousUpload(previous)
      upload.start()
    }, reject)
  })
  return sent.finally(() => source.destroy())
}

function metadataOf({
  bucket,
  path,
  property,
  fields,
  content_type,
  policy,
}: UploadOptions): Record<string, string> {
  return {
    bucket,
    filename: basename(path),
    ...(content_type && { content_type }),
    ...(property && { blob_property: property }),
    ...(policy && { policy }),
    ...(fields && Object.keys(fields).length > 0 && { object_metadata: JSON.stringify(fields) }),
    // A run that is repeated must not end in a second copy of the same bytes.
    skip_duplicates: 'false',
  }
}

/** The same file for the same place, unchanged since: only then an earlier upload may go on. */
async function fingerprint(
  client: Client,
  { bucket, path, property, fields }: UploadOptions,
  size: number,
): Promise<string> {
  const { mtimeMs } = await stat(path)
  return JSON.stringify([
    client.url,
    client.namespace,
    bucket,
    property,
    fields,
    resolve(path),
    size,
    mtimeMs,
  ])
}

async function memoryFile(): Promise<string> {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'kura')
  await mkdir(folder, { recursive: true })
  return join(folder, 'uploads.json')
}

/** What the server said, where it said something; the library only tells that it was no success. */
function asApiError(error: Error | DetailedError): ApiError {
  const response = 'originalResponse' in error ? error.originalResponse : null
  if (!response)
    return new ApiError(0, `The upload broke off: ${error.message}. Run it again to go on.`, null)
  return refusedBy(response.getStatus(), response.getBody())
}

/**
 * Large files are checked in the background after their last byte. One that is PENDING then was refused,
 * and waits for other bytes.
 */
async function settled(client: Client, bucket: string, upload_id: string): Promise<UploadedFile> {
  for (;;) {
    const path = `/v1/buckets/${encodeURIComponent(bucket)}/uploads/${upload_id}`
    const upload = await client.call<UploadedFile & { message?: string }>('GET', path)
    if (upload.status === 'COMPLETED') return upload
    if (upload.status !== 'PROCESSING')
      throw new ApiError(
        400,
        `The upload was not confirmed (${upload.status}): ${upload.message ?? 'see its task'}`,
        upload,
      )
    await sleep(POLL_MS)
  }
}

import type { S3Client, S3ClientConfig, StorageClass } from '@aws-sdk/client-s3'
import { isMissing, isMissingUpload, s3Error } from './s3-errors.ts'
import type { S3Settings } from './s3-settings.ts'

type Sdk = typeof import('@aws-sdk/client-s3')

/** Our storage classes in the words of S3. */
const CLASSES: Record<string, StorageClass> = {
  standard: 'STANDARD',
  nearline: 'STANDARD_IA',
  coldline: 'GLACIER_IR',
  archive: 'GLACIER',
}

export const s3StorageClass = (storage_class: string | null | undefined): StorageClass | undefined =>
  storage_class ? CLASSES[storage_class] : undefined

const ATTEMPTS_MAX = 5
const CONNECT_TIMEOUT_MS = 5000
/** A connection that moves no byte for this long is given up. */
const IDLE_TIMEOUT_MS = 60_000
/** Readers that take their time keep their connection; they must not stop everybody else. */
const CONNECTIONS_MAX = 256

export type S3Part = { number: number; etag: string; size_bytes: number; modified_at_ms: number }
export type S3Head = { size_bytes: number; metadata: Record<string, string>; modified_at_ms: number }
export type S3Body = { body: AsyncIterable<Uint8Array>; etag: string | undefined }
export type S3Write = {
  storage_class?: string | null | undefined
  metadata?: Record<string, string>
  mime_type?: string | undefined
  signal?: AbortSignal | undefined
}

/** The client library, loaded when S3 is first used: it takes longer than the start of a whole server. */
export async function s3Client(
  settings: S3Settings,
  endpoint = settings.endpoint,
): Promise<{ sdk: Sdk; client: S3Client }> {
  const sdk = await import('@aws-sdk/client-s3')
  const options: S3ClientConfig = {
    forcePathStyle: settings.path_style,
    // Checksums that only Amazon understands would break others; bodies are covered by the signature.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: IDLE_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS_MAX },
    },
    ...(endpoint && { endpoint }),
    ...(settings.region && { region: settings.region }),
    ...(settings.credentials && { credentials: settings.credentials }),
  }
  return { sdk, client: new sdk.S3Client(options) }
}

/**
 * One bucket below one prefix, in the operations that a blob store is made of. Every failure is a
 * KuraError; the client has tried again, with growing pauses, what may succeed.
 */
export class S3Bucket {
  readonly #settings: S3Settings
  #opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined

  constructor(settings: S3Settings) {
    this.#settings = settings
  }

  /** Whether bucket and credentials are right; throws `storage_unavailable` with the reason. */
  async check(): Promise<void> {
    await this.#run(({ sdk, client }) =>
      client.send(
        new sdk.ListObjectsV2Command({
          Bucket: this.#settings.bucket,
          MaxKeys: 1,
          Prefix: this.#settings.prefix,
        }),
      ),
    )
  }

  async put(key: string, body: Uint8Array, options: S3Write): Promise<void> {
    await this.#run(({ sdk, client }) =>
      client.send(
        new sdk.PutObjectCommand({ ...this.#at(key), ...written(options), Body: body }),
        aborted(options.signal),
      ),
    )
  }

  /** The bytes from `start` to `end` inclusive, or all; null when there is no such key. */
  async get(
    key: string,
    range: { start: number; end?: number } | undefined,
    etag?: string,
  ): Promise<S3Body | null> {
    const found = await this.#find(({ sdk, client }) =>
      client.send(
        new sdk.GetObjectCommand({
          ...this.#at(key),
          ...(range && { Range: `bytes=${range.start}-${range.end ?? ''}` }),
          ...(etag && { IfMatch: etag }),
        }),
      ),
    )
    return found && { body: found.Body as unknown as AsyncIterable<Uint8Array>, etag: found.ETag }
  }

  async head(key: string): Promise<S3Head | null> {
    const found = await this.#find(({ sdk, client }) => client.send(new sdk.HeadObjectCommand(this.#at(key))))
    return (
      found && {
        size_bytes: found.ContentLength ?? 0,
        metadata: found.Metadata ?? {},
        modified_at_ms: found.LastModified?.getTime() ?? 0,
      }
    )
  }

  async delete(key: string): Promise<void> {
    await this.#find(({ sdk, client }) => client.send(new sdk.DeleteObjectCommand(this.#at(key))))
  }

  /** Every object below the prefix, in the order of the keys. */
  async *list(prefix: string): AsyncGenerator<{ key: string; size_bytes: number; modified_at_ms: number }> {
    for (let token: string | undefined; ; ) {
      const page = await this.#run(({ sdk, client }) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.#settings.bucket,
            Prefix: this.#settings.prefix + prefix,
            ...(token && { ContinuationToken: token }),
          }),
        ),
      )
      for (const { Key = '', Size = 0, LastModified } of page.Contents ?? [])
        yield { key: this.#ours(Key), size_bytes: Size, modified_at_ms: LastModified?.getTime() ?? 0 }
      token = page.NextContinuationToken
      if (!page.IsTruncated || !token) return
    }
  }

  async createUpload(key: string, options: S3Write): Promise<string> {
    const { UploadId } = await this.#run(({ sdk, client }) =>
      client.send(
        new sdk.CreateMultipartUploadCommand({ ...this.#at(key), ...written(options) }),
        aborted(options.signal),
      ),
    )
    return UploadId!
  }

  async uploadPart(
    key: string,
    upload_id: string,
    number: number,
    body: Uint8Array,
    signal?: AbortSignal,
  ): Promise<S3Part> {
    const { ETag } = await this.#run(({ sdk, client }) =>
      client.send(
        new sdk.UploadPartCommand({ ...this.#at(key), UploadId: upload_id, PartNumber: number, Body: body }),
        aborted(signal),
      ),
    )
    return { number, etag: ETag!, size_bytes: body.byteLength, modified_at_ms: Date.now() }
  }

  /** The parts that have arrived, by number; null when there is no such upload (any more). */
  async listParts(key: string, upload_id: string): Promise<S3Part[] | null> {
    const parts: S3Part[] = []
    for (let marker: string | undefined; ; ) {
      const page = await this.#find(
        ({ sdk, client }) =>
          client.send(
            new sdk.ListPartsCommand({
              ...this.#at(key),
              UploadId: upload_id,
              ...(marker && { PartNumberMarker: marker }),
            }),
          ),
        isMissingUpload,
      )
      if (!page) return null
      for (const { PartNumber, ETag, Size, LastModified } of page.Parts ?? [])
        parts.push({
          number: PartNumber!,
          etag: ETag!,
          size_bytes: Size ?? 0,
          modified_at_ms: LastModified?.getTime() ?? 0,
        })
      marker = page.NextPartNumberMarker
      if (!page.IsTruncated || !marker) return parts
    }
  }

  /** Makes the parts one object. An upload that is gone was completed by an attempt whose answer got lost. */
  async completeUpload(key: string, upload_id: string, parts: readonly S3Part[]): Promise<void> {
    const done = await this.#find(
      ({ sdk, client }) =>
        client.send(
          new sdk.CompleteMultipartUploadCommand({
            ...this.#at(key),
            UploadId: upload_id,
            MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag })) },
          }),
        ),
      isMissingUpload,
    )
    if (!done && !(await this.head(key))) throw new Error(`The upload to ${key} was removed before its end.`)
  }

  async abortUpload(key: string, upload_id: string): Promise<void> {
    await this.#find(
      ({ sdk, client }) =>
        client.send(new sdk.AbortMultipartUploadCommand({ ...this.#at(key), UploadId: upload_id })),
      isMissingUpload,
    )
  }

  /** Uploads that were neither completed nor aborted. */
  async *listUploads(
    prefix: string,
  ): AsyncGenerator<{ key: string; upload_id: string; modified_at_ms: number }> {
    for (let marker: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
      const page = await this.#run(({ sdk, client }) =>
        client.send(
          new sdk.ListMultipartUploadsCommand({
            Bucket: this.#settings.bucket,
            Prefix: this.#settings.prefix + prefix,
            ...marker,
          }),
        ),
      )
      for (const { Key = '', UploadId, Initiated } of page.Uploads ?? [])
        yield { key: this.#ours(Key), upload_id: UploadId!, modified_at_ms: Initiated?.getTime() ?? 0 }
      if (!page.IsTruncated || !page.NextKeyMarker) return
      marker = {
        KeyMarker: page.NextKeyMarker,
        ...(page.NextUploadIdMarker && { UploadIdMarker: page.NextUploadIdMarker }),
      }
    }
  }

  /** An error of a body that was being read, as one of ours. */
  explain(error: unknown): unknown {
    return s3Error(error, this.#settings.bucket)
  }

  /** Bucket and full key, as commands name them. */
  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + key }
  }

  #ours(full_key: string): string {
    return full_key.slice(this.#settings.prefix.length)
  }

  async #run<T>(work: (s3: { sdk: Sdk; client: S3Client }) => Promise<T>): Promise<T> {
    try {
      return await this.#try(work)
    } catch (error) {
      throw this.explain(error)
    }
  }

  /** `run`, with null for what is not there. */
  async #find<T>(
    work: (s3: { sdk: Sdk; client: S3Client }) => Promise<T>,
    isAbsent: (error: unknown) => boolean = isMissing,
  ): Promise<T | null> {
    try {
      return await this.#try(work)
    } catch (error) {
      if (isAbsent(error)) return null
      throw this.explain(error)
    }
  }

  async #try<T>(work: (s3: { sdk: Sdk; client: S3Client }) => Promise<T>): Promise<T> {
    this.#opened ??= s3Client(this.#settings)
    return work(await this.#opened)
  }
}

const aborted = (signal: AbortSignal | undefined) => (signal ? { abortSignal: signal } : {})

function written({ storage_class, metadata, mime_type }: S3Write) {
  const StorageClass = s3StorageClass(storage_class)
  return {
    ...(StorageClass && { StorageClass }),
    ...(metadata && { Metadata: metadata }),
    ...(mime_type && { ContentType: mime_type }),
  }
}

import type { ListObjectsV2CommandOutput, S3Client } from '@aws-sdk/client-s3'
import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { Defaulted, optional } from '../../core/schema.ts'
import { toTimestamp } from '../../core/time.ts'
import { limitedBody } from './limited-body.ts'
import { openS3Client, type S3Settings } from './s3-source-client.ts'
import { sourceError } from './s3-source-errors.ts'
import type {
  BrowseOptions,
  OpenSource,
  SourceConfig,
  SourceContent,
  SourceFile,
  SourceItem,
  SourceListOptions,
  SourceProvider,
  SourceReadOptions,
} from './source-provider.ts'

const KEYS_PER_PAGE_MAX = 1000
/** Pages without a key in a row; stores give a few, one that gives more has no end. */
const EMPTY_PAGES_MAX = 1000
const BUCKET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/

const AccessKey = Type.Object({
  // Roles would need the token service of one vendor; keys work with every S3-compatible store.
  type: Defaulted(Type.Enum(['access_key']), 'access_key'),
  access_key_id: Type.String({ minLength: 1, maxLength: 128 }),
  secret_access_key: Type.String({ minLength: 1, maxLength: 1024 }),
  session_token: optional(Type.String({ maxLength: 16_384 })),
})

const SECRETS = ['credentials.secret_access_key', 'credentials.session_token']

/** Amazon S3 and whatever speaks its protocol, by `endpoint_url`. */
export const s3Source: SourceProvider = {
  provider_type: 's3',
  config: Type.Object({
    credentials: AccessKey,
    region: Type.String({ minLength: 1, maxLength: 64 }),
    endpoint_url: optional(Type.String({ maxLength: 2048 })),
    use_ssl: Defaulted(Type.Boolean(), true),
    verify_ssl: Defaulted(Type.Boolean(), true),
  }),
  secrets: SECRETS,
  checkPath: (path) => parseS3Path(path).error,
  open: async (config, { guard }) => new S3Source(await openS3Client(settingsOf(config), guard), config),
}

export const tigrisSource: SourceProvider = {
  provider_type: 'tigris',
  config: Type.Object({
    credentials: AccessKey,
    region: Defaulted(Type.String({ minLength: 1, maxLength: 64 }), 'auto'),
    endpoint_url: Defaulted(Type.String({ maxLength: 2048 }), 'https://fly.storage.tigris.dev'),
  }),
  secrets: SECRETS,
  checkPath: (path) => parseS3Path(path).error,
  open: async (config, { guard }) => new S3Source(await openS3Client(settingsOf(config), guard), config),
}

const settingsOf = (config: SourceConfig) => config as unknown as S3Settings

/** `bucket/prefix` or `s3://bucket/prefix`; the prefix is a folder: it matches whole segments only. */
export function parseS3Path(path: string): { bucket: string; prefix: string; error: string | null } {
  const [bucket = '', ...rest] = path.replace(/^s3:\/\//i, '').split('/')
  const prefix = rest.join('/').replace(/\/+$/, '')
  const error =
    BUCKET_NAME.test(bucket) && !bucket.includes('..')
      ? /\0/.test(prefix)
        ? 'A path may not hold NUL.'
        : null
      : 'The path starts with the name of a bucket: bucket/prefix.'
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/`, error }
}

class S3Source implements OpenSource {
  readonly #client: S3Client
  /** Where the bucket lives; part of the identity of its keys. */
  readonly #store: string

  constructor(client: S3Client, { endpoint_url }: SourceConfig) {
    this.#client = client
    this.#store = typeof endpoint_url === 'string' ? endpoint_url.replace(/\/+$/, '') : 's3:/'
  }

  /** Keys that may use one bucket only cannot list buckets; that they are known is what is asked. */
  async test(signal: AbortSignal): Promise<void> {
    const { ListBucketsCommand } = await import('@aws-sdk/client-s3')
    try {
      await this.#client.send(new ListBucketsCommand({}), { abortSignal: signal })
    } catch (error) {
      if ((error as Error).name !== 'AccessDenied') throw sourceError(error, signal)
    }
  }

  async *list(source_path: string, options: SourceListOptions): AsyncGenerator<SourceItem> {
    const { bucket, prefix } = parseS3Path(source_path)
    let token: string | undefined
    let empty = 0
    do {
      const page = await this.#page({ bucket, prefix, token, keys: KEYS_PER_PAGE_MAX }, options.signal)
      empty = page.Contents?.length ? 0 : empty + 1
      if (empty > EMPTY_PAGES_MAX) throw new KuraError('source_listing_endless', { limit: EMPTY_PAGES_MAX })
      for (const { Key, ...entry } of page.Contents ?? []) {
        const key = Key && decodeKey(Key, page)
        // Consoles make a "folder" as an empty object whose key ends with a slash.
        if (key && !key.endsWith('/')) yield this.#item(bucket, prefix, key, entry)
      }
      // A server that repeats its token would be asked for the same page for ever.
      if (page.IsTruncated && (!page.NextContinuationToken || page.NextContinuationToken === token))
        throw new KuraError('connection_failed', { reason: 'the listing does not go on.' })
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  async read(
    file: SourceFile,
    { signal, limit_bytes, with_tags }: SourceReadOptions,
  ): Promise<SourceContent> {
    const { GetObjectCommand } = await import('@aws-sdk/client-s3')
    const place = file.properties as { bucket: string; key: string }
    const address = { Bucket: place.bucket, Key: place.key }
    try {
      const tags = with_tags ? await this.#tags(address, signal) : undefined
      const answer = await this.#client.send(new GetObjectCommand(address), { abortSignal: signal })
      const body = answer.Body as unknown as AsyncIterable<Uint8Array> & { destroy(): void }
      if ((answer.ContentLength ?? 0) > limit_bytes) {
        body.destroy()
        throw new KuraError('source_file_too_large', { limit_bytes })
      }
      return {
        body: told(limitedBody(body, { signal, limit_bytes }), signal),
        version: answer.ETag ? etagVersion(answer.ETag) : null,
        mime_type: answer.ContentType ?? null,
        metadata: answer.Metadata ?? {},
        ...(tags && { tags }),
      }
    } catch (error) {
      throw sourceError(error, signal)
    }
  }

  async browse(path: string, { signal, max_results }: BrowseOptions) {
    if (path.replace(/^s3:\/\//i, '').replace(/\//g, '') === '')
      return { folders: await this.#buckets(signal, max_results), files: [] }
    const { bucket, prefix, error } = parseS3Path(path.replace(/^\/+/, ''))
    if (error) throw new KuraError('connection_failed', { reason: error })
    const page = await this.#page({ bucket, prefix, keys: max_results, delimiter: '/' }, signal)
    const folders = (page.CommonPrefixes ?? []).flatMap(({ Prefix }) => {
      const place = `${bucket}/${decodeKey(Prefix ?? '', page).replace(/\/$/, '')}`
      return { id: place, name: place.split('/').at(-1)!, path: place }
    })
    const files = (page.Contents ?? []).flatMap(({ Key, ...entry }) => {
      const key = decodeKey(Key ?? '', page)
      const item = key.endsWith('/') ? null : this.#item(bucket, '', key, entry)
      return item?.kind === 'file' ? [{ ...item, path: `${bucket}/${key}` }] : []
    })
    return { folders, files }
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  #item(bucket: string, prefix: string, key: string, { ETag, Size, LastModified }: Entry): SourceItem {
    const source_id = `${this.#store}/${bucket}/${key}`
    const path = key.slice(prefix.length)
    // Servers and proxies resolve such keys to others, so what is read could be another file.
    if (key.split('/').some((segment) => segment === '.' || segment === '..')) {
      const error = new KuraError('source_item_unreadable', { reason: 'its key leads upwards (..)' })
      return { kind: 'fault', source_id, path, error }
    }
    const modified = LastModified?.getTime() ?? null
    return {
      kind: 'file',
      source_id,
      version: ETag ? etagVersion(ETag) : `${Size}-${modified}`,
      path,
      name: key.split('/').at(-1)!,
      size_bytes: Size ?? null,
      modified_at: modified === null ? null : toTimestamp(modified),
      mime_type: null,
      properties: { bucket, key },
    }
  }

  async #page(
    { bucket, prefix, token, keys, delimiter }: PageAsk,
    signal: AbortSignal,
  ): Promise<ListObjectsV2CommandOutput> {
    const { ListObjectsV2Command } = await import('@aws-sdk/client-s3')
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix,
      ContinuationToken: token,
      MaxKeys: keys,
      Delimiter: delimiter,
      // Keys may hold characters that XML cannot.
      EncodingType: 'url',
    })
    return this.#client.send(command, { abortSignal: signal }).catch((error) => {
      throw sourceError(error, signal)
    })
  }

  async #buckets(signal: AbortSignal, max_results: number) {
    const { ListBucketsCommand } = await import('@aws-sdk/client-s3')
    const answer = await this.#client
      .send(new ListBucketsCommand({}), { abortSignal: signal })
      .catch((error) => {
        throw sourceError(error, signal)
      })
    const names = (answer.Buckets ?? []).flatMap(({ Name }) => Name ?? [])
    return names.slice(0, max_results).map((name) => ({ id: name, name, path: name }))
  }

  async #tags(
    address: { Bucket: string; Key: string },
    signal: AbortSignal,
  ): Promise<Record<string, string>> {
    const { GetObjectTaggingCommand } = await import('@aws-sdk/client-s3')
    try {
      const { TagSet } = await this.#client.send(new GetObjectTaggingCommand(address), {
        abortSignal: signal,
      })
      return Object.fromEntries((TagSet ?? []).map(({ Key, Value }) => [Key ?? '', Value ?? '']))
    } catch (error) {
      // Some S3-compatible stores have no tags at all, others say so for a file without any.
      if (['NotImplemented', 'NoSuchTagSet', 'NoSuchTagSetError'].includes((error as Error).name)) return {}
      throw error
    }
  }
}

type Entry = { ETag?: string | undefined; Size?: number | undefined; LastModified?: Date | undefined }
type PageAsk = {
  bucket: string
  prefix: string
  token?: string | undefined
  keys: number
  delimiter?: string
}

const etagVersion = (etag: string) => etag.replace(/^W\//, '').replace(/"/g, '')

/** Form encoding, as the protocol has it: a plus is a space. */
function decodeKey(key: string, { EncodingType }: ListObjectsV2CommandOutput): string {
  return EncodingType === 'url' ? decodeURIComponent(key.replace(/\+/g, ' ')) : key
}

/** A body whose faults are told like those of every other call. */
async function* told(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw sourceError(error, signal)
  }
}

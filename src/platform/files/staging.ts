import { createHash } from 'node:crypto'
import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { BlobStore } from '../blobs/blobs.ts'

/**
 * Files up to this size are kept in their row, in the transaction that makes it: a small text then
 * costs one commit to disk instead of three.
 */
export const INLINE_BYTES_MAX = 64 * 1024

/** Where all files of this class lie in the blob store; what lies there without a row is garbage. */
export const FILE_KEY_PREFIX = 'files/'

/** Bytes that are durable (or inline) but belong to nobody until `Files.commit`. */
export type StagedFile = {
  file_id: string
  sha256: string
  size_bytes: number
  mime_type: string
  filename: string | null
  /** Exactly one of the two is set. */
  content: Uint8Array | null
  storage_key: string | null
  /** In which the blob store was asked to keep the bytes; none is its default. */
  storage_class?: string | null
  /** The first bytes (at most 64 KiB), for telling the type of the content. */
  head: Uint8Array
}

export type StageOptions = {
  mime_type: string
  filename: string | null
  /** More bytes than this throw `payload_too_large`. */
  limit_bytes: number
  storage_class?: string | null
  signal?: AbortSignal
}

/** Keeps small content in memory and streams the rest to the blob store, hashed on the way. */
export async function stageFile(
  blobs: BlobStore,
  namespace_id: string,
  source: Uint8Array | AsyncIterable<Uint8Array>,
  options: StageOptions,
): Promise<StagedFile> {
  const { mime_type, filename, limit_bytes } = options
  const file_id = newId.file()
  const { head, rest } = await readHead(source, options)
  if (rest === null) {
    const size_bytes = head.byteLength
    if (size_bytes > limit_bytes) throw new KuraError('payload_too_large', { limit_bytes })
    const sha256 = createHash('sha256').update(head).digest('hex')
    return { file_id, sha256, size_bytes, mime_type, filename, content: head, storage_key: null, head }
  }
  const storage_key = fileKey(namespace_id, file_id)
  const stored = await blobs.put(storage_key, rest, options)
  const storage_class = options.storage_class ?? null
  return { file_id, ...stored, mime_type, filename, content: null, storage_key, storage_class, head }
}

/** `files/<namespace>/<2 characters>/<file>`: folders stay small when there are millions of files. */
function fileKey(namespace_id: string, file_id: string): string {
  return `${FILE_KEY_PREFIX}${namespace_id}/${file_id.slice(-2)}/${file_id}`
}

/** The row that must exist for a key of `fileKey`; null for anything else, such as the remains of a write. */
export function parseFileKey(key: string): { namespace_id: string; file_id: string } | null {
  const [folder, namespace_id, , file_id, ...more] = key.split('/')
  if (`${folder}/` !== FILE_KEY_PREFIX || !namespace_id || !file_id || more.length > 0) return null
  return fileKey(namespace_id, file_id) === key ? { namespace_id, file_id } : null
}

type Head = {
  head: Uint8Array
  /** All bytes from the start, or null when `head` is everything. */
  rest: AsyncIterable<Uint8Array> | null
}

async function readHead(
  source: Uint8Array | AsyncIterable<Uint8Array>,
  { signal }: StageOptions,
): Promise<Head> {
  if (source instanceof Uint8Array) {
    if (source.byteLength <= INLINE_BYTES_MAX) return { head: source, rest: null }
    return { head: source.subarray(0, INLINE_BYTES_MAX), rest: chunksOf([source]) }
  }
  const iterator = source[Symbol.asyncIterator]()
  const read: Uint8Array[] = []
  let size_bytes = 0
  while (size_bytes <= INLINE_BYTES_MAX) {
    signal?.throwIfAborted()
    const { done, value } = await iterator.next()
    if (done) return { head: join(read), rest: null }
    // Iterators may reuse their buffer for the next chunk.
    read.push(value.slice())
    size_bytes += value.byteLength
  }
  return { head: join(read).subarray(0, INLINE_BYTES_MAX), rest: chunksOf(read, iterator) }
}

async function* chunksOf(
  first: Uint8Array[],
  iterator?: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* first
    if (!iterator) return
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  } finally {
    // A writer that gives up must also stop the source: a download, a request body.
    await iterator?.return?.()
  }
}

const join = (chunks: Uint8Array[]): Uint8Array => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))

/**
 * The port to stored bytes. Keys are made by the server from ids, never from names that users send.
 * A `put` MUST be all or nothing: after it returns the bytes are durable, and a crash before that
 * leaves no object under the key.
 */
export type BlobStore = {
  /** Streams bytes in, hashing while it writes. Throws `payload_too_large` past `limit_bytes`. */
  put(
    key: string,
    source: AsyncIterable<Uint8Array>,
    options: { limit_bytes: number; storage_class?: string | null; signal?: AbortSignal },
  ): Promise<StoredBlob>
  /** Bytes `start` to `end` inclusive, or all. Throws BlobMissingError when there is no such key. */
  read(key: string, range?: { start: number; end: number }): Promise<AsyncIterable<Uint8Array>>
  size(key: string): Promise<number | null>
  /** Removing what is not there is no error. */
  delete(key: string): Promise<void>
  /**
   * Every key that starts with the prefix, in order, for cleanup and checks; also what interrupted
   * writes have left behind, under keys that no `put` was given.
   */
  list(prefix: string): AsyncIterable<BlobListing>
}

export type BlobListing = { key: string; size_bytes: number; modified_at_ms: number }

export type StoredBlob = { size_bytes: number; sha256: string }

export class BlobMissingError extends Error {
  constructor(key: string) {
    super(`No stored file under ${key}.`)
    this.name = 'BlobMissingError'
  }
}

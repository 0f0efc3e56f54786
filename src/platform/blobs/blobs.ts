/**
 * The port to stored bytes. Keys are made by the server from ids, never from names that users send.
 * A `put` MUST be all or nothing: after it returns the bytes are durable, and a crash before that
 * leaves no object under the key.
 */
export type BlobStore = {
  /** Streams bytes in, hashing while it writes. Throws `payload_too_large` past `limit_bytes`. */
  put(key: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredBlob>
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
  /** Throws with the reason when the store cannot be used: for health. Costs one small request at most. */
  check(): Promise<void>
  /** Writes of many gigabytes that go on after a lost connection. */
  readonly resumable: ResumableWrites
  /** Addresses with which clients reach the store itself; absent where only the server can. */
  readonly presign?: BlobPresigner
}

export type PutOptions = {
  /** More bytes than this throw `payload_too_large`. */
  limit_bytes: number
  storage_class?: string | null
  signal?: AbortSignal
  /** When known: bytes with another hash throw BlobMismatchError, and nothing is stored. */
  sha256?: string
}

/**
 * A write in pieces. What `append` has returned for is durable, whichever process asks next; nothing
 * is visible under the key until `finish`. One writer at a time: the caller holds the lock.
 */
export type ResumableWrites = {
  /** Starts a write, or does nothing when it has begun. */
  begin(key: string, options: { storage_class?: string | null; mime_type?: string }): Promise<void>
  /** How many bytes are durable, or null when no such write has begun. */
  offset(key: string): Promise<number | null>
  /**
   * Appends at `offset`, which must be the durable offset (else BlobOffsetError), and returns the new
   * one. A source that breaks off keeps what has arrived. Throws `payload_too_large` past `limit_bytes` of the whole.
   */
  append(
    key: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    options: { limit_bytes: number; signal?: AbortSignal },
  ): Promise<number>
  /** Makes the bytes readable under the key. Doing it twice is no error. */
  finish(key: string): Promise<{ size_bytes: number }>
  /** Drops an unfinished write and its bytes; no error when there is none. */
  abort(key: string): Promise<void>
}

/** Addresses signed by the store, valid for `expires_in_seconds`. */
export type BlobPresigner = {
  put(
    key: string,
    options: { expires_in_seconds: number; mime_type: string; storage_class?: string | null },
  ): Promise<string>
  get(
    key: string,
    options: { expires_in_seconds: number; mime_type: string; filename: string | null },
  ): Promise<string>
}

export type BlobListing = { key: string; size_bytes: number; modified_at_ms: number }

export type StoredBlob = { size_bytes: number; sha256: string }

export class BlobMissingError extends Error {
  constructor(key: string) {
    super(`No stored file under ${key}.`)
    this.name = 'BlobMissingError'
  }
}

/** The bytes are not those that were announced. */
export class BlobMismatchError extends Error {
  constructor(key: string) {
    super(`The bytes for ${key} do not have the hash they should have.`)
    this.name = 'BlobMismatchError'
  }
}

/** Throws BlobMismatchError unless the hash is the expected one, if any. */
export function checkHash(key: string, sha256: string, expected: string | undefined): void {
  if (expected !== undefined && sha256 !== expected) throw new BlobMismatchError(key)
}

/** A resumable write goes on at its durable offset only. */
export class BlobOffsetError extends Error {
  constructor(key: string, offset: number, durable: number) {
    super(`The write of ${key} stands at ${durable}, not at ${offset}.`)
    this.name = 'BlobOffsetError'
  }
}

/** Throws BlobOffsetError unless both are the same. */
export function checkOffset(key: string, offset: number, durable: number): void {
  if (offset !== durable) throw new BlobOffsetError(key, offset, durable)
}

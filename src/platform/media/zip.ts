import { inflateRawSync } from 'node:zlib'
import { MediaError } from './media-error.ts'

export type ZipEntry = {
  name: string
  method: number
  compressed_bytes: number
  uncompressed_bytes: number
  /** Offset of the local header. */
  offset: number
}

/** Bounds of an archive before anything unpacks it. */
export type ZipLimits = {
  entries_max: number
  /** Sum over all entries. */
  uncompressed_bytes_max: number
  /** Unpacked to packed size; only archives over `ratio_from_bytes` are judged by it. */
  ratio_max: number
}

/** Small archives may compress well: a blank document of a few kilobytes is no bomb. */
const RATIO_FROM_BYTES = 1024 * 1024
const END_SIGNATURE = 0x06054b50
const ENTRY_SIGNATURE = 0x02014b50
const END_BYTES = 22
const ENTRY_BYTES = 46
const LOCAL_BYTES = 30
const DEFLATED = 8

/** The central directory of a ZIP file. Throws MediaError `damaged` when there is none. */
export function readZipDirectory(bytes: Uint8Array): ZipEntry[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = findEnd(buffer)
  const count = buffer.readUInt16LE(end + 10)
  let position = buffer.readUInt32LE(end + 16)
  // Gaps, several disks and ZIP64 could make another reader find another directory than this one.
  const whole = buffer.readUInt32LE(end + 4) === 0 && buffer.readUInt16LE(end + 8) === count
  if (!whole || position + buffer.readUInt32LE(end + 12) !== end) throw damaged()
  const entries: ZipEntry[] = []
  for (let i = 0; i < count; i++) {
    if (position + ENTRY_BYTES > end || buffer.readUInt32LE(position) !== ENTRY_SIGNATURE) throw damaged()
    const name_bytes = buffer.readUInt16LE(position + 28)
    const skipped = buffer.readUInt16LE(position + 30) + buffer.readUInt16LE(position + 32)
    entries.push({
      method: buffer.readUInt16LE(position + 10),
      compressed_bytes: buffer.readUInt32LE(position + 20),
      uncompressed_bytes: buffer.readUInt32LE(position + 24),
      offset: buffer.readUInt32LE(position + 42),
      name: buffer.toString('utf8', position + ENTRY_BYTES, position + ENTRY_BYTES + name_bytes),
    })
    position += ENTRY_BYTES + name_bytes + skipped
  }
  return entries
}

/** The last end record; its comment may be up to 64 KiB long. */
function findEnd(buffer: Buffer): number {
  const first = Math.max(0, buffer.length - END_BYTES - 0xffff)
  for (let i = buffer.length - END_BYTES; i >= first; i--) {
    if (buffer.readUInt32LE(i) === END_SIGNATURE) return i
  }
  throw damaged()
}

const damaged = (cause?: unknown) =>
  new MediaError('damaged', 'The archive is damaged or incomplete.', { cause })

/** Refuses archives that would unpack to more than the limits allow, by what their directory says. */
export function checkZip(bytes: Uint8Array, limits: ZipLimits): ZipEntry[] {
  const entries = readZipDirectory(bytes)
  if (entries.length > limits.entries_max)
    throw tooLarge(`has ${entries.length} entries; at most ${limits.entries_max} are read`)
  const unpacked = entries.reduce((sum, entry) => sum + entry.uncompressed_bytes, 0)
  if (unpacked > limits.uncompressed_bytes_max)
    throw tooLarge(`unpacks to ${unpacked} bytes; the limit is ${limits.uncompressed_bytes_max}`)
  if (unpacked > RATIO_FROM_BYTES && unpacked > bytes.length * limits.ratio_max)
    throw tooLarge(`unpacks to more than ${limits.ratio_max} times its size`)
  return entries
}

const tooLarge = (fact: string) =>
  new MediaError('too_large', `The archive ${fact}.`, { suggestion: 'Split the file or save it anew.' })

/**
 * Refuses an entry that unpacks to more than its directory record says: such a record is how a bomb
 * gets past `checkZip`. The content is thrown away again; native inflate makes that cheap.
 */
export function checkEntrySize(bytes: Uint8Array, entry: ZipEntry): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (entry.offset + LOCAL_BYTES > buffer.length) throw damaged()
  const start =
    entry.offset +
    LOCAL_BYTES +
    buffer.readUInt16LE(entry.offset + 26) +
    buffer.readUInt16LE(entry.offset + 28)
  const packed = buffer.subarray(start, start + entry.compressed_bytes)
  if (packed.length < entry.compressed_bytes) throw damaged()
  if (entry.method !== DEFLATED) return
  try {
    inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.uncompressed_bytes) })
  } catch (error) {
    throw damaged(error)
  }
}

import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { crc32 } from 'node:zlib'

/**
 * A file of named binary sections behind one description, for snapshots of derived data:
 *
 *   sections … | footer (JSON) | footer length u32 | footer CRC u32 | magic (8 bytes)
 *
 * Every byte is covered by a CRC-32 (zlib's runs at several GB/s, sha256 at a fraction of it; what is
 * feared here is a torn or rotten file, not a forged one). Readers get whole, verified sections or
 * a DamagedFileError.
 */
const MAGIC = Buffer.from('KURASNP1')
const TRAILER_BYTES = 4 + 4 + MAGIC.length
/** The footer lists sections and small facts; anything bigger is a damaged length. */
const FOOTER_BYTES_MAX = 64 * 1024 * 1024

export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError'
}

type Section = { name: string; offset: number; length: number; crc: number }
type Footer = { facts: unknown; sections: Section[] }

/**
 * Writes beside `path` and renames, so a reader never meets half a file. It is not synced to disk:
 * a power failure may leave rubbish under the final name, and the checksums find that.
 */
export async function writeSections(
  path: string,
  facts: unknown,
  sections: Readonly<Record<string, readonly ArrayBufferView[]>>,
): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx')
    try {
      await writeAll(file, facts, sections)
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function writeAll(
  file: FileHandle,
  facts: unknown,
  sections: Readonly<Record<string, readonly ArrayBufferView[]>>,
): Promise<void> {
  const written: Section[] = []
  let offset = 0
  for (const [name, parts] of Object.entries(sections)) {
    const section = { name, offset, length: 0, crc: 0 }
    for (const part of parts) {
      const bytes = bytesOf(part)
      section.crc = crc32(bytes, section.crc)
      section.length += bytes.length
      await writeFully(file, bytes, offset)
      offset += bytes.length
    }
    written.push(section)
  }
  const footer = Buffer.from(JSON.stringify({ facts, sections: written } satisfies Footer))
  const trailer = Buffer.alloc(8)
  trailer.writeUInt32LE(footer.length, 0)
  trailer.writeUInt32LE(crc32(footer), 4)
  await writeFully(file, Buffer.concat([footer, trailer, MAGIC]), offset)
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

export type SectionReader = {
  readonly facts: unknown
  /** Length of a section in bytes; throws when the file has no such section. */
  lengthOf(name: string): number
  /** Fills `parts` in order with a section of exactly their length, and verifies it. */
  readInto(name: string, parts: readonly ArrayBufferView[]): Promise<void>
  close(): Promise<void>
}

/** Opens a file of `writeSections`; undefined when there is none. The caller closes it. */
export async function openSections(path: string): Promise<SectionReader | undefined> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const footer = await readFooter(file)
    return reader(file, footer)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function readFooter(file: FileHandle): Promise<Footer> {
  const { size } = await file.stat()
  if (size < TRAILER_BYTES) throw new DamagedFileError('The file is too short.')
  const trailer = await readBytes(file, TRAILER_BYTES, size - TRAILER_BYTES)
  if (!trailer.subarray(8).equals(MAGIC)) throw new DamagedFileError('The file does not end as it should.')
  const length = trailer.readUInt32LE(0)
  if (length > FOOTER_BYTES_MAX || length + TRAILER_BYTES > size)
    throw new DamagedFileError('The footer is longer than the file.')
  const bytes = await readBytes(file, length, size - TRAILER_BYTES - length)
  if (crc32(bytes) !== trailer.readUInt32LE(4)) throw new DamagedFileError('The footer is damaged.')
  return JSON.parse(bytes.toString()) as Footer
}

function reader(file: FileHandle, { facts, sections }: Footer): SectionReader {
  const find = (name: string) => {
    const section = sections.find((one) => one.name === name)
    if (!section) throw new DamagedFileError(`The file has no section "${name}".`)
    return section
  }
  return {
    facts,
    lengthOf: (name) => find(name).length,
    async readInto(name, parts) {
      const section = find(name)
      let { offset } = section
      let crc = 0
      for (const part of parts) {
        const bytes = bytesOf(part)
        await readFully(file, bytes, offset)
        crc = crc32(bytes, crc)
        offset += bytes.length
      }
      if (offset !== section.offset + section.length || crc !== section.crc)
        throw new DamagedFileError(`Section "${name}" is damaged.`)
    },
    close: () => file.close(),
  }
}

async function readBytes(file: FileHandle, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await readFully(file, bytes, position)
  return bytes
}

async function readFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done)
    if (bytesRead === 0) throw new DamagedFileError('The file ends too early.')
    done += bytesRead
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** CRC-32 and size of a file that something else wrote. */
export async function fingerprintOf(path: string): Promise<{ size: number; crc: number }> {
  const file = await open(path, 'r')
  try {
    const block = Buffer.allocUnsafe(4 * 1024 * 1024)
    let size = 0
    let crc = 0
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length, size)
      if (bytesRead === 0) return { size, crc }
      crc = crc32(block.subarray(0, bytesRead), crc)
      size += bytesRead
    }
  } finally {
    await file.close()
  }
}

import { TextDecoder } from 'node:util'
import { MediaError } from './media-error.ts'

/** Above this share of NUL characters a file is taken for binary data, not for text with a slip. */
const NUL_SHARE_MAX = 0.01

/**
 * The characters of a text file: UTF-8, UTF-16 (with byte order mark, or recognized by its zero
 * bytes), else Windows-1252, which reads every byte. `charset` is the encoding that the file names
 * itself and comes after a byte order mark. NUL is dropped, because databases refuse it in text.
 * Throws MediaError `damaged` for binary data.
 */
export function decodeText(bytes: Uint8Array, charset?: string | null): string {
  const text = decoder(bytes, charset).decode(bytes)
  if (!text.includes('\0')) return text
  const cleaned = text.replaceAll('\0', '')
  if ((text.length - cleaned.length) / text.length > NUL_SHARE_MAX)
    throw new MediaError('damaged', 'The file holds binary data, not text.', {
      suggestion: 'Send text as UTF-8, or map the file to an extractor of its type.',
    })
  return cleaned
}

function decoder(bytes: Uint8Array, charset: string | null | undefined): TextDecoder {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le')
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be')
  const zeros = zeroBytes(bytes)
  if (zeros) return new TextDecoder(zeros)
  const named = charset ? namedDecoder(charset) : null
  return isUtf8(bytes) ? new TextDecoder('utf-8') : (named ?? new TextDecoder('windows-1252'))
}

function namedDecoder(charset: string): TextDecoder | null {
  try {
    return new TextDecoder(charset)
  } catch {
    return null // An encoding that nobody knows is as good as none.
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Western text in UTF-16 has a zero in nearly every second byte; in UTF-8 it has none. */
function zeroBytes(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  const head = bytes.subarray(0, 1024)
  if (head.length < 4 || head.length % 2 !== 0) return null
  let even = 0
  let odd = 0
  for (const [i, byte] of head.entries()) {
    if (byte !== 0) continue
    if (i % 2 === 0) even++
    else odd++
  }
  const many = head.length * 0.3
  if (odd > many && even === 0) return 'utf-16le'
  return even > many && odd === 0 ? 'utf-16be' : null
}

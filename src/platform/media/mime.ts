import type { FileTypeResult } from 'file-type'
import { isTextual, mimeOfFilename, normalizeMime } from './mime-types.ts'

export { fitsBlobType, mimeOfFilename, normalizeMime } from './mime-types.ts'

/** How much of a file `sniffMime` wants to see: enough for the directory of an Office file. */
export const SNIFF_BYTES = 65_536

/** Types that cannot be what they say when their signature is absent. */
const SIGNED = new Set([
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
  'image/tiff',
  'application/pdf',
  'application/zip',
])

/** Signatures that several types share: what is declared or named chooses among them. */
const SHARED: Record<string, (mime: string) => boolean> = {
  'application/zip': (mime) => /openxmlformats|opendocument|ms-excel|epub|java-archive/.test(mime),
  'application/x-cfb': (mime) => /^application\/(?:msword|vnd\.ms-)/.test(mime),
  'application/xml': (mime) => mime.endsWith('xml'),
  'application/ogg': (mime) => /^(?:audio|video)\/ogg$/.test(mime),
  'video/mp4': (mime) => mime === 'audio/mp4',
  'video/webm': (mime) => mime === 'audio/webm',
  'video/ogg': (mime) => mime === 'audio/ogg',
  'video/matroska': (mime) => mime.startsWith('audio/'),
  'video/x-ms-asf': (mime) => /^(?:audio|video)\/x-ms-/.test(mime),
}

// Comments may come first; each ends at the first `-->`, so that the patterns cannot backtrack.
const HTML = /^(?:<!--(?:(?!-->)[\s\S])*-->\s*)*<(?:!doctype html|html|head|body)[\s>]/i
const SVG =
  /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->)[\s\S])*-->\s*)*(?:<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/i

/**
 * The MIME type of a file: what its first bytes show, else what was declared, else what its
 * extension promises. `head` is the file or its first SNIFF_BYTES. What is shown only vaguely
 * ("some text", "some zip") is made precise by the declared type or the name if they agree with it.
 */
export async function sniffMime(
  head: Uint8Array,
  declared?: string | null,
  filename?: string | null,
): Promise<string> {
  const claims = [normalizeMime(declared), mimeOfFilename(filename)].filter((claim) => claim !== null)
  const specific = claims.filter((claim) => claim !== 'application/octet-stream' && claim !== 'text/plain')
  const shown = await signature(head)
  if (shown) return specific.find((claim) => SHARED[shown]?.(claim)) ?? shown
  if (head.length > 0 && isTextContent(head)) return textType(head, specific)
  return claims.find((claim) => head.length === 0 || !SIGNED.has(claim)) ?? 'application/octet-stream'
}

async function signature(head: Uint8Array): Promise<string | null> {
  // Loaded on first use: a server that receives no files does not pay for it at start.
  const { fileTypeFromBuffer } = await import('file-type')
  const found: FileTypeResult | undefined = await fileTypeFromBuffer(head)
  if (found && found.mime !== 'application/xml') return normalizeMime(found.mime)
  const opening = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 1024)).toString('latin1')
  // Readers accept a PDF with a preamble of up to 1024 bytes (PDF 1.7, Annex H, note 13).
  if (opening.includes('%PDF-')) return 'application/pdf'
  if (SVG.test(opening)) return 'image/svg+xml'
  return found ? 'application/xml' : null
}

/** The "binary data byte" rule of the WHATWG MIME Sniffing Standard, §3; a byte order mark settles it. */
function isTextContent(head: Uint8Array): boolean {
  if ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)) return true
  return !head.some(
    (byte) => byte < 0x20 && (byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte !== 0x1b)),
  )
}

function textType(head: Uint8Array, claims: readonly string[]): string {
  const text = new TextDecoder().decode(head).trimStart()
  if (HTML.test(text)) return 'text/html'
  const claim = claims.find(isTextual)
  if (claim) return claim
  if (isJson(text)) return 'application/json'
  return isCsv(text, head.length >= SNIFF_BYTES) ? 'text/csv' : 'text/plain'
}

function isJson(text: string): boolean {
  if (!/^[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // Text in brackets, or JSON that goes on after the head: both are plain text here.
  }
}

/** At least three lines that all hold the same number of commas (or semicolons, or tabs), not as in prose. */
function isCsv(text: string, cut: boolean): boolean {
  const lines = text.split(/\r?\n/)
  if (cut) lines.pop()
  const rows = lines.filter((line) => line !== '').map((line) => line.replace(/"(?:[^"]|"")*"/g, ''))
  return (
    rows.length >= 3 &&
    [',', ';', '\t'].some((separator) => {
      const columns = rows[0]!.split(separator).length
      return (
        columns > 1 && rows.every((row) => row.split(separator).length === columns && !row.includes(', '))
      )
    })
  )
}

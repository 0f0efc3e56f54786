import { MediaError } from './media-error.ts'
import { checkEntrySize, checkZip } from './zip.ts'

const MIB = 1024 * 1024

/** XML becomes a tree of about ten times its size, so its bound is what keeps memory bounded. */
const XML_BYTES_MAX = 48 * MIB
const LIMITS = { entries_max: 10_000, uncompressed_bytes_max: 512 * MIB, ratio_max: 100 }

/** The text of a Word document (.docx): one paragraph a block, blocks apart by a blank line. */
export async function docxToText(bytes: Uint8Array): Promise<string> {
  const parts = checkZip(bytes, LIMITS).filter((entry) => /\.(?:xml|rels)$/i.test(entry.name))
  const xml_bytes = parts.reduce((sum, part) => sum + part.uncompressed_bytes, 0)
  if (xml_bytes > XML_BYTES_MAX)
    throw new MediaError(
      'too_large',
      `The document holds ${xml_bytes} bytes of XML; the limit is ${XML_BYTES_MAX}.`,
      {
        suggestion: 'Split the document.',
      },
    )
  for (const part of parts) checkEntrySize(bytes, part)
  const { default: mammoth } = await import('mammoth')
  try {
    const { value } = await mammoth.extractRawText({
      buffer: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    })
    return value.replaceAll('\0', '').trimEnd()
  } catch (error) {
    throw new MediaError('damaged', 'The Word document cannot be read: it is damaged or no .docx file.', {
      cause: error,
      suggestion: 'Open it in a word processor and save it as .docx again.',
    })
  }
}

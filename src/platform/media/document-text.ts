import { setImmediate as nextTurn } from 'node:timers/promises'
import { docxToText } from './docx.ts'
import { htmlToText } from './html.ts'
import { MediaError } from './media-error.ts'
import { DOCX, isTextual, normalizeMime } from './mime-types.ts'
import { openPdf } from './pdf.ts'
import { decodeText } from './text.ts'

/** The text layer of a file. Formats without pages have one. */
export type DocumentText = {
  pages: string[]
  /** True where a line ends because the paper does (PDF), not because the author ended it. */
  hard_wrapped: boolean
}

/**
 * Reads the text layer of a PDF, HTML, Word or text file. Throws MediaError for what holds no text. A
 * PDF stops at its next page when `signal` aborts.
 */
export async function documentText(
  bytes: Uint8Array,
  mime_type: string,
  signal?: AbortSignal,
): Promise<DocumentText> {
  const mime = normalizeMime(mime_type) ?? 'application/octet-stream'
  if (mime === 'application/pdf') return { pages: await pdfPages(bytes, signal), hard_wrapped: true }
  return { pages: [await plainText(bytes, mime)], hard_wrapped: false }
}

async function plainText(bytes: Uint8Array, mime: string): Promise<string> {
  if (mime === DOCX) return docxToText(bytes)
  if (mime === 'text/html' || mime === 'application/xhtml+xml') return htmlToText(bytes)
  if (isTextual(mime) || mime === 'application/octet-stream') return decodeText(bytes)
  throw new MediaError('unsupported', `No text can be read from a file of type ${mime}.`, {
    suggestion: 'Send text, Markdown, HTML, PDF or Word (.docx).',
  })
}

async function pdfPages(bytes: Uint8Array, signal?: AbortSignal): Promise<string[]> {
  const pdf = await openPdf(bytes)
  try {
    const pages: string[] = []
    while (pages.length < pdf.page_count) {
      // Reading a page lets nothing else run: between two, timers and messages have their turn.
      await nextTurn()
      signal?.throwIfAborted()
      pages.push(pdf.text(pages.length))
    }
    return pages
  } finally {
    pdf.close()
  }
}

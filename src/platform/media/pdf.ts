import { MediaError } from './media-error.ts'
import { pageText } from './pdf-text.ts'
import {
  acquirePdfium,
  discardPdfium,
  PDFIUM_ERROR_PASSWORD,
  PDFIUM_ERROR_SECURITY,
  type Pdfium,
  releasePdfium,
} from './pdfium.ts'

/** More pages than any book has; past it the file is refused rather than read in part. */
export const PDF_PAGES_MAX = 5000
/** Pages may be metres wide: a rendering is scaled down to this many pixels (4 bytes each). */
const RENDER_PIXELS_MAX = 25_000_000
const POINTS_PER_INCH = 72
const BGRA = 4
const WHITE = 0xffffffff
/** FPDF_ANNOT and FPDF_REVERSE_BYTE_ORDER: with annotations, as RGBA. */
const RENDER_FLAGS = 0x01 | 0x10

/** Pixels as RGBA, row by row. */
export type RawImage = { width: number; height: number; data: Uint8Array }

/** An open PDF. Pages count from 0. MUST be closed: its memory is not collected. */
export type Pdf = {
  page_count: number
  /** The text layer of a page in reading order; empty for a scan. */
  text(page: number): string
  /** The page as it prints, at so many pixels per inch, or fewer if it were huge. */
  render(page: number, dpi: number): RawImage
  close(): void
}

/** Opens a PDF. Throws MediaError: `encrypted`, `damaged`, `too_large` (pages or memory). */
export async function openPdf(bytes: Uint8Array): Promise<Pdf> {
  const pdfium = await acquirePdfium()
  let source = 0
  let document = 0
  let trapped = false
  const close = () => {
    releasePdfium(pdfium)
    if (trapped) return
    if (document !== 0) pdfium._FPDF_CloseDocument(document)
    if (source !== 0) pdfium.wasmExports.free(source)
  }
  /** What PDFium throws is a trap of WebAssembly: its memory can no longer be trusted. */
  const guarded = <T>(call: () => T): T => {
    try {
      return call()
    } catch (error) {
      if (error instanceof MediaError) throw error
      trapped = true
      discardPdfium(pdfium)
      throw new MediaError('damaged', 'The PDF is damaged: reading it failed.', { cause: error })
    }
  }
  try {
    source = guarded(() => pdfium.wasmExports.malloc(bytes.length))
    if (source === 0) throw new MediaError('too_large', 'The PDF is too large to be opened.')
    pdfium.HEAPU8.set(bytes, source)
    document = guarded(() => pdfium._FPDF_LoadMemDocument(source, bytes.length, 0))
    if (document === 0) throw openError(pdfium._FPDF_GetLastError())
    const page_count = guarded(() => pdfium._FPDF_GetPageCount(document))
    if (page_count > PDF_PAGES_MAX)
      throw new MediaError(
        'too_large',
        `The PDF has ${page_count} pages; at most ${PDF_PAGES_MAX} are read.`,
        {
          suggestion: 'Split it into several files.',
        },
      )
    return {
      page_count,
      text: (page) => guarded(() => withPage(pdfium, document, page, (handle) => textOf(pdfium, handle))),
      render: (page, dpi) =>
        guarded(() => withPage(pdfium, document, page, (handle) => rendered(pdfium, handle, dpi))),
      close,
    }
  } catch (error) {
    close()
    throw error
  }
}

function openError(code: number): MediaError {
  if (code === PDFIUM_ERROR_PASSWORD)
    return new MediaError('encrypted', 'The PDF is protected with a password.', {
      suggestion: 'Send a copy without password protection.',
    })
  if (code === PDFIUM_ERROR_SECURITY)
    return new MediaError('encrypted', 'The PDF is encrypted in a way that cannot be read.', {
      suggestion: 'Send a copy without encryption.',
    })
  return new MediaError('damaged', 'The PDF is damaged or is no PDF at all.', {
    suggestion: 'Open it in a viewer and save it anew.',
  })
}

function withPage<T>(pdfium: Pdfium, document: number, page: number, use: (handle: number) => T): T {
  const handle = pdfium._FPDF_LoadPage(document, page)
  if (handle === 0) throw new MediaError('damaged', `Page ${page + 1} of the PDF is damaged.`)
  try {
    return use(handle)
  } finally {
    pdfium._FPDF_ClosePage(handle)
  }
}

function textOf(pdfium: Pdfium, page: number): string {
  const textPage = pdfium._FPDFText_LoadPage(page)
  if (textPage === 0) return ''
  try {
    return pageText(pdfium, textPage)
  } finally {
    pdfium._FPDFText_ClosePage(textPage)
  }
}

function rendered(pdfium: Pdfium, page: number, dpi: number): RawImage {
  const { width, height } = pixelSize(pdfium._FPDF_GetPageWidth(page), pdfium._FPDF_GetPageHeight(page), dpi)
  const stride = width * BGRA
  const pointer = pdfium.wasmExports.malloc(stride * height)
  if (pointer === 0) throw new MediaError('too_large', 'The page is too large to be rendered.')
  try {
    const bitmap = pdfium._FPDFBitmap_CreateEx(width, height, BGRA, pointer, stride)
    pdfium._FPDFBitmap_FillRect(bitmap, 0, 0, width, height, WHITE)
    pdfium._FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, RENDER_FLAGS)
    pdfium._FPDFBitmap_Destroy(bitmap)
    return { width, height, data: pdfium.HEAPU8.slice(pointer, pointer + stride * height) }
  } finally {
    pdfium.wasmExports.free(pointer)
  }
}

function pixelSize(width_points: number, height_points: number, dpi: number) {
  const wanted = dpi / POINTS_PER_INCH
  const points = Math.max(1, width_points) * Math.max(1, height_points)
  const scale = Math.min(wanted, Math.sqrt(RENDER_PIXELS_MAX / points))
  return {
    width: Math.max(1, Math.round(width_points * scale)),
    height: Math.max(1, Math.round(height_points * scale)),
  }
}

import type { PDFiumModule } from '@hyzyla/pdfium'

/**
 * PDFium compiled to WebAssembly. Its functions are called directly, because the wrapper classes of
 * the package keep every page open until the module is thrown away and expose no character positions.
 */
export type Pdfium = Awaited<ReturnType<typeof PDFiumModule>> & {
  _FPDFText_GetUnicode(textPage: number, index: number): number
  _FPDFText_GetCharOrigin(textPage: number, index: number, x: number, y: number): number
}

export const PDFIUM_ERROR_PASSWORD = 4
export const PDFIUM_ERROR_SECURITY = 5

/** Memory of WebAssembly never shrinks: past this size the module is replaced once nothing uses it. */
const MEMORY_BYTES_MAX = 256 * 1024 * 1024

let loading: Promise<Pdfium> | undefined
let current: Pdfium | undefined
let open_documents = 0

/** The module, loaded when the first PDF comes (about 40 ms). */
export async function acquirePdfium(): Promise<Pdfium> {
  open_documents++
  loading ??= load()
  current = await loading
  return current
}

/** To be called once per `acquirePdfium`. */
export function releasePdfium(pdfium: Pdfium): void {
  open_documents--
  if (open_documents === 0 && pdfium.HEAPU8.byteLength > MEMORY_BYTES_MAX) discardPdfium(pdfium)
}

/** After a trap the module is in an unknown state: the next document gets a new one. */
export function discardPdfium(pdfium: Pdfium): void {
  if (pdfium === current) loading = undefined
}

async function load(): Promise<Pdfium> {
  const { PDFiumModule } = await import('@hyzyla/pdfium')
  const pdfium = (await PDFiumModule({})) as Pdfium
  pdfium._FPDF_InitLibraryWithConfig({ version: 2 })
  return pdfium
}

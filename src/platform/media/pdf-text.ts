import type { Pdfium } from './pdfium.ts'

/** Hebrew, Arabic, Syriac, Thaana, N'Ko and their presentation forms. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/

/**
 * A run that reads from right to left: its letters and marks, with spaces only between them. Digits
 * end it, because they read from left to right within such text.
 */
const RUN = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+(?: +[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]+)*/g

/**
 * The text of a page in the order of its content stream, which producers write in reading order
 * (column by column). Lines end with `\n`, words hyphenated at a line end are joined, ligatures and
 * presentation forms are spelled out.
 */
export function pageText(pdfium: Pdfium, textPage: number): string {
  const text = rawText(pdfium, textPage)
  return tidy(RIGHT_TO_LEFT.test(text) ? orderRightToLeft(pdfium, textPage) : text)
}

function rawText(pdfium: Pdfium, textPage: number): string {
  const count = pdfium._FPDFText_CountChars(textPage)
  if (count <= 0) return ''
  const pointer = pdfium.wasmExports.malloc((count + 1) * 2)
  try {
    const written = pdfium._FPDFText_GetText(textPage, 0, count, pointer)
    if (written <= 1) return ''
    const bytes = pdfium.HEAPU8.slice(pointer, pointer + (written - 1) * 2) // Without the closing zero.
    return new TextDecoder('utf-16le').decode(bytes)
  } finally {
    pdfium.wasmExports.free(pointer)
  }
}

/**
 * PDFium turns right-to-left runs around on the assumption that the file stores them as they look,
 * from left to right. Text that was stored in reading order (ActualText, some producers) comes out
 * backwards. Where the letters stand on the page tells: in reading order they go from right to left.
 */
function orderRightToLeft(pdfium: Pdfium, textPage: number): string {
  const count = pdfium._FPDFText_CountChars(textPage)
  const characters: string[] = []
  const xs: number[] = []
  const pointer = pdfium.wasmExports.malloc(16)
  try {
    for (let i = 0; i < count; i++) {
      const code = pdfium._FPDFText_GetUnicode(textPage, i)
      if (code === 0 || code > 0x10ffff) continue
      pdfium._FPDFText_GetCharOrigin(textPage, i, pointer, pointer + 8)
      const x = new DataView(pdfium.HEAPU8.buffer).getFloat64(pointer, true)
      for (const unit of String.fromCodePoint(code).split('')) {
        characters.push(unit)
        xs.push(x)
      }
    }
  } finally {
    pdfium.wasmExports.free(pointer)
  }
  return characters
    .join('')
    .replace(RUN, (run, start: number) =>
      xs[start]! > xs[start + run.length - 1]! || run.length === 1 ? run : reversed(run),
    )
}

const reversed = (run: string) => run.split('').reverse().join('')

function tidy(text: string): string {
  return (
    text
      .replace(/\r\n?/g, '\n')
      // U+FFFE is a hyphen that only a line end made.
      .replace(/\ufffe\n?/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
      .replace(/[\0-\x08\x0b-\x1f\x7f]/g, '')
      .replace(/[\ufb00-\ufdff\ufe70-\ufefc]/g, (form) => form.normalize('NFKC'))
      .replace(/[ \t]+$/gm, '')
      .trim()
  )
}

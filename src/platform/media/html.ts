import type { HtmlToTextOptions } from 'html-to-text'
import { htmlDepth } from './html-depth.ts'
import { formatTable } from './html-table.ts'
import { MediaError } from './media-error.ts'
import { decodeText } from './text.ts'

/** Pages have some dozens of levels; the converter's stack ends at some thousands. */
const DEPTH_MAX = 2000

const HEADINGS = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6']

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  // The default would cut longer pages without a word; the media limit has bounded them already.
  limits: { maxInputLength: 2 ** 29 },
  formatters: { rows: formatTable },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    { selector: 'nav', format: 'skip' },
    { selector: 'table', format: 'rows' },
    ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
  ],
}

/** What a reader sees of a page: no markup, scripts, styles, link targets or navigation. */
export async function htmlToText(bytes: Uint8Array): Promise<string> {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 2048)).toString('latin1')
  const html = decodeText(bytes, /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(head)?.[1])
  if (htmlDepth(html) > DEPTH_MAX) throw tooDeep()
  const { convert } = await import('html-to-text')
  try {
    return convert(html, OPTIONS)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    // The converter recurses once a level: what the count above has missed exhausts the stack.
    throw tooDeep(error)
  }
}

const tooDeep = (cause?: unknown) =>
  new MediaError('damaged', 'The HTML is nested too deeply to be read.', { cause })

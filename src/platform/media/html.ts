import type { HtmlToTextOptions } from 'html-to-text'
import { MediaError } from './media-error.ts'
import { decodeText } from './text.ts'

const HEADINGS = ['h1', 'h2', 'h3', 'h4', 'h5', 'h6']

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  // The default would cut longer pages without a word; the media limit has bounded them already.
  limits: { maxInputLength: 2 ** 29 },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    { selector: 'img', format: 'skip' },
    { selector: 'nav', format: 'skip' },
    { selector: 'table', format: 'dataTable' },
    ...HEADINGS.map((selector) => ({ selector, options: { uppercase: false } })),
  ],
}

/** What a reader sees of a page: no markup, scripts, styles, link targets or navigation. */
export async function htmlToText(bytes: Uint8Array): Promise<string> {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 2048)).toString('latin1')
  const html = decodeText(bytes, /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(head)?.[1])
  const { convert } = await import('html-to-text')
  try {
    return convert(html, OPTIONS)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    // The converter recurses once a level: thousands of nested elements exhaust the stack.
    throw new MediaError('damaged', 'The HTML is nested too deeply to be read.', { cause: error })
  }
}

/** Tags without content, and those whose end may be left out: a long list of them is no depth. */
const UNCOUNTED = new Set(
  (
    'area base br col embed hr img input link meta param source track wbr ' +
    'p li dt dd tr td th thead tbody tfoot option optgroup rp rt'
  ).split(' '),
)

/**
 * How deep elements are nested in HTML, roughly and never too much by far: parsing itself takes
 * the square of the depth, so that this is counted without a parser, in one pass.
 */
export function htmlDepth(html: string): number {
  const text = html.toLowerCase()
  let depth = 0
  let deepest = 0
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    if (text.startsWith('<!--', at)) {
      at = text.indexOf('-->', at)
      if (at < 0) break
      continue
    }
    const isEnd = text[at + 1] === '/'
    const name = nameAt(text, at + (isEnd ? 2 : 1))
    at += name.length + 1
    if (name === '' || UNCOUNTED.has(name)) continue
    depth = Math.max(0, depth + (isEnd ? -1 : 1))
    deepest = Math.max(deepest, depth)
    if (!isEnd && (name === 'script' || name === 'style')) {
      at = text.indexOf(`</${name}`, at)
      if (at < 0) break
    }
  }
  return deepest
}

function nameAt(text: string, start: number): string {
  let end = start
  for (let code = text.charCodeAt(end); isNameCode(code, end > start); code = text.charCodeAt(end)) end++
  return text.slice(start, end)
}

const isNameCode = (code: number, isInside: boolean) =>
  (code >= 97 && code <= 122) || (isInside && ((code >= 48 && code <= 57) || code === 45))

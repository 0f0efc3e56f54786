export type SplitBy = 'none' | 'characters' | 'words' | 'sentences' | 'paragraphs' | 'pages'

export type ChunkRule = {
  split_by: SplitBy
  /** Units per chunk. */
  chunk_size: number
  /** Units that a chunk repeats of the one before; smaller than `chunk_size`. */
  chunk_overlap: number
}

/** Start and end (exclusive) of a unit in the text. */
type Span = readonly [start: number, end: number]

/** The units of a text by their place. */
type Units = { count: number; start(place: number): number; end(place: number): number }

/** Separates pages within one text. */
export const PAGE_BREAK = '\f'

/** How the pages of a file become one text, so that no unit ends where only the paper did. */
export function joinPages(pages: readonly string[], { split_by }: ChunkRule): string {
  if (split_by === 'pages') return pages.join(PAGE_BREAK)
  return pages.filter((page) => page !== '').join(split_by === 'sentences' ? '\n' : '\n\n')
}

/**
 * The chunks of a text: trimmed slices of it that together hold all its visible characters. Empty
 * ones are left out, and so is a tail that would hold overlap only. `hard_wrapped`: line ends
 * come from the paper and end no sentence.
 */
export function splitText(text: string, rule: ChunkRule, hard_wrapped = false): string[] {
  if (rule.split_by === 'none') return text.trim() === '' ? [] : [text]
  const chunks: string[] = []
  const units = unitsOf(text, rule.split_by, hard_wrapped)
  const step = Math.max(1, rule.chunk_size - rule.chunk_overlap)
  for (let first = 0; first < units.count; first += step) {
    const last = Math.min(first + rule.chunk_size, units.count) - 1
    const chunk = text.slice(units.start(first), units.end(last)).trim()
    if (chunk !== '') chunks.push(chunk)
    if (last === units.count - 1) break
  }
  return chunks
}

function unitsOf(text: string, split_by: Exclude<SplitBy, 'none'>, hard_wrapped: boolean): Units {
  switch (split_by) {
    case 'characters':
      return characters(text)
    case 'words':
      return spanned(Array.from(text.matchAll(/\S+/g), ({ 0: word, index }) => [index, index + word.length]))
    case 'sentences':
      return spanned(sentences(hard_wrapped ? unwrapped(text) : text))
    case 'paragraphs':
      return spanned(between(text, /\r?\n[^\S\n]*\n\s*/g))
    case 'pages':
      return spanned(between(text, /\f/g))
  }
}

const spanned = (spans: readonly Span[]): Units => ({
  count: spans.length,
  start: (place) => spans[place]![0],
  end: (place) => spans[place]![1],
})

/** Code points, so that no character is cut in two. */
function characters(text: string): Units {
  // Most text has none beyond 16 bits: then places are positions, and nothing needs to be listed.
  if (!/[\ud800-\udfff]/.test(text))
    return { count: text.length, start: (place) => place, end: (place) => place + 1 }
  const spans: Span[] = []
  let start = 0
  for (const { length } of text) {
    spans.push([start, start + length])
    start += length
  }
  return spanned(spans)
}

/** By Unicode's sentence boundaries (UAX #29); the locale is fixed so that every server cuts alike. */
function sentences(text: string): Span[] {
  const spans: Span[] = []
  for (const { segment, index } of new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text))
    if (segment.trim() !== '') spans.push([index, index + segment.length])
  return spans
}

/** Line ends within a paragraph as blanks of the same length, which keeps all positions. */
const unwrapped = (text: string) =>
  text.replace(/(?<![\r\n])\r?\n(?!\s*\n)/g, (end) => ' '.repeat(end.length))

function between(text: string, separator: RegExp): Span[] {
  const spans: Span[] = []
  let start = 0
  for (const { 0: found, index } of text.matchAll(separator)) {
    spans.push([start, index])
    start = index + found.length
  }
  spans.push([start, text.length])
  return spans.filter(([from, to]) => text.slice(from, to).trim() !== '')
}

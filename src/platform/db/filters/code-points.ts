import { SIMPLE_FOLDING } from '../../../core/filters/fold-table.ts'

/** Code points as inclusive ranges, ascending and apart once `normalized`. */
export type Ranges = readonly (readonly [first: number, last: number])[]

const LAST = 0x10ffff

export function normalized(ranges: Ranges): Ranges {
  const merged: [number, number][] = []
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const previous = merged.at(-1)
    if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last)
    else merged.push([first, last])
  }
  return merged
}

export function complement(ranges: Ranges): Ranges {
  const gaps: [number, number][] = []
  let next = 0
  for (const [first, last] of normalized(ranges)) {
    if (first > next) gaps.push([next, first - 1])
    next = last + 1
  }
  if (next <= LAST) gaps.push([next, LAST])
  return gaps
}

/** Characters that differ in case only, by the character they fold to. */
const variants = new Map<number, number[]>()
for (const [point, folded] of SIMPLE_FOLDING) {
  const known = variants.get(folded)
  if (known) known.push(point)
  else variants.set(folded, [folded, point])
}

/** The ranges and every character that equals one of theirs when case does not count. */
export function withCaseVariants(ranges: Ranges): Ranges {
  const added: [number, number][] = []
  for (const [folded, points] of variants) {
    const found = points.some((point) => ranges.some(([first, last]) => point >= first && point <= last))
    if (found) for (const point of [folded, ...points]) added.push([point, point])
  }
  return normalized([...ranges, ...added])
}

const classes = new Map<string, Ranges>()

/** The characters that a class of the JavaScript engine matches, such as `\p{Script=Greek}`. */
export function rangesOf(source: string): Ranges {
  let ranges = classes.get(source)
  if (!ranges) {
    ranges = scan(new RegExp(`^${source}$`, 'u'))
    classes.set(source, ranges)
  }
  return ranges
}

/** Planes without assigned characters, which answer as their first code point does. */
const UNASSIGNED: Ranges = [
  [0x40000, 0xdffff],
  [0xe1000, 0xeffff],
]

function scan(regex: RegExp): Ranges {
  const ranges: [number, number][] = []
  for (let point = 0; point <= LAST; point++) {
    const plane = UNASSIGNED.find(([first]) => first === point)
    const last = plane ? plane[1] : point
    if (regex.test(String.fromCodePoint(point))) ranges.push([point, last])
    point = last
  }
  return normalized(ranges)
}

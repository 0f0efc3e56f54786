import { SIMPLE_FOLDING } from './fold-table.ts'

const BEYOND_ASCII = /[\u0080-\uffff]/

/**
 * The form in which text is compared when case does not count: NFC, then Unicode simple folding.
 * `É` and `é` become equal, `e` stays apart, and no character changes into two.
 */
export function foldCase(text: string): string {
  if (!BEYOND_ASCII.test(text)) return text.toLowerCase()
  let folded = ''
  for (const character of text.normalize('NFC')) {
    const target = SIMPLE_FOLDING.get(character.codePointAt(0)!)
    folded += target === undefined ? character : String.fromCodePoint(target)
  }
  return folded
}

/**
 * Negative, zero or positive as `a` sorts before, with or after `b` by code point. JavaScript's own
 * order is that of UTF-16 units, which puts U+FFFD after an emoji; UTF-8 databases disagree.
 */
export function compareCodePoints(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Lifts surrogates above the rest of the plane they would otherwise sort into. */
const rank = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)

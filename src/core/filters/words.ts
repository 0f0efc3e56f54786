import { foldCase } from './fold.ts'

/** What `text` takes for a part of a word; the complement separates words. */
export const WORD_CHARACTER = String.raw`[\p{Alphabetic}\p{M}\p{N}]`

const WORD = new RegExp(`${WORD_CHARACTER}+`, 'gu')
const WORD_LENGTH_MIN = 2
const WORD_LENGTH_MAX = 15

/** The distinct words that the `text` operator compares: folded, 2 to 15 characters long. */
export function wordsOf(text: string): Set<string> {
  const words = new Set<string>()
  for (const [word] of foldCase(text).matchAll(WORD)) {
    const length = word.length <= WORD_LENGTH_MAX ? word.length : [...word].length
    if (length <= WORD_LENGTH_MAX && [...word].length >= WORD_LENGTH_MIN) words.add(word)
  }
  return words
}

/** Whether a text has all the words. No words are found nowhere, rather than everywhere. */
export function hasWords(text: string, wanted: ReadonlySet<string>): boolean {
  if (wanted.size === 0) return false
  const words = wordsOf(text)
  for (const word of wanted) if (!words.has(word)) return false
  return true
}

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

const ENDS_IN_WORD = new RegExp(`${WORD_CHARACTER}$`, 'u')
const STARTS_WITH_WORD = new RegExp(`^${WORD_CHARACTER}`, 'u')

/** Whether a text has all the words of a `wordsOf`. No words are found nowhere, rather than everywhere. */
export function hasWords(text: string, wanted: ReadonlySet<string>): boolean {
  if (wanted.size === 0) return false
  const folded = foldCase(text)
  for (const word of wanted) if (!hasWord(folded, word)) return false
  return true
}

/** Looks at the neighbours of each occurrence only: taking long texts apart is ten times slower. */
function hasWord(folded: string, word: string): boolean {
  for (let start = folded.indexOf(word); start !== -1; start = folded.indexOf(word, start + 1)) {
    const end = start + word.length
    // Two units on either side hold the neighbouring character, also beyond the basic plane.
    if (
      !ENDS_IN_WORD.test(folded.slice(Math.max(0, start - 2), start)) &&
      !STARTS_WITH_WORD.test(folded.slice(end, end + 2))
    )
      return true
  }
  return false
}

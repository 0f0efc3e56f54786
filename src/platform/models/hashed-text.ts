import { l2Normalize } from '../../lib/l2-normalize.ts'

export const HASHED_TEXT_DIMENSIONS = 1024

/** About 40 pages. More of a text costs time and hardly turns its vector. */
export const HASHED_TEXT_CHARS_MAX = 100_000

const WORDS = /[\p{L}\p{N}\p{M}]+/gu
/** Accents of Latin, Greek and Cyrillic. Marks of other scripts are vowels and stay. */
const ACCENTS = /[\u0300-\u036f]+/g
const BEYOND_ASCII = /[^\0-\x7f]/
/** Scripts without spaces: their runs of letters are no words, so pairs of letters stand for words. */
const UNSPACED_RUNS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+|[^\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]+/gu
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u

/** Short words are mostly grammar; a word of this many letters has full weight. */
const FULL_WEIGHT_LENGTH = 6
const BOUNDARY = 0

/**
 * A text as hashed words and letter trigrams, signed, with logarithmic counts: the cosine of two such
 * vectors tells how many words and word parts the texts share, and nothing of what they mean. The
 * trigrams of a word together weigh as much as the word, so that other endings and typing errors
 * still match. A text without letters or digits is hashed as it stands: every text has a direction.
 *
 * On the Cranfield collection nDCG@10 is 0.27 (words alone 0.25, BM25 0.35); 1,024 places cost 0.03.
 */
export function hashText(text: string): Float32Array {
  const vector = new Float32Array(HASHED_TEXT_DIMENSIONS)
  const counts = countWords(text.slice(0, HASHED_TEXT_CHARS_MAX))
  if (counts.size === 0) add(vector, hashOf(text.trim()), 1)
  for (const [word, count] of counts) {
    const weight = Math.min(1, word.length / FULL_WEIGHT_LENGTH) * (1 + Math.log(count))
    add(vector, hashOf(word), weight)
    addTrigrams(vector, word, weight)
  }
  return l2Normalize(vector)
}

function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>()
  const count = (word: string) => counts.set(word, (counts.get(word) ?? 0) + 1)
  const plain = !BEYOND_ASCII.test(text)
  for (const word of (plain ? text.toLowerCase() : fold(text)).match(WORDS) ?? []) {
    if (plain) count(word)
    else for (const run of word.match(UNSPACED_RUNS) ?? []) for (const part of parts(run)) count(part)
  }
  return counts
}

/** Compatibility forms, case and accents do not tell words apart. */
function fold(text: string): string {
  return text.normalize('NFKD').replace(ACCENTS, '').normalize('NFKC').toLowerCase()
}

function parts(run: string): string[] {
  if (!UNSPACED.test(run)) return [run]
  const letters = [...run]
  if (letters.length === 1) return letters
  return letters.slice(1).map((letter, i) => letters[i]! + letter)
}

function addTrigrams(vector: Float32Array, word: string, weight: number): void {
  const each = weight / Math.sqrt(word.length)
  let first = BOUNDARY
  let second = word.charCodeAt(0)
  for (let i = 1; i <= word.length; i++) {
    const third = i < word.length ? word.charCodeAt(i) : BOUNDARY
    add(vector, mix(step(step(step(~HASH_START, first), second), third)), each)
    first = second
    second = third
  }
}

/** The place comes from the low bits, the sign from the highest: colliding features cancel as often as they add up. */
function add(vector: Float32Array, hash: number, value: number): void {
  vector[hash & (HASHED_TEXT_DIMENSIONS - 1)]! += hash < 0 ? -value : value
}

const HASH_START = 0x811c9dc5 | 0

/** FNV-1a over UTF-16 units; `mix` spreads its weak low bits. Results are signed 32-bit integers. */
function hashOf(text: string): number {
  let hash = HASH_START
  for (let i = 0; i < text.length; i++) hash = step(hash, text.charCodeAt(i))
  return mix(hash)
}

const step = (hash: number, unit: number) => Math.imul(hash ^ unit, 0x01000193)

/** The finalizer of MurmurHash3. */
function mix(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

import { seededRandom } from '../../tests/support/vector-rows.ts'

const WORDS = 50_000
/** Share of the n-th most frequent word falls off like 1 / n^1.07, as in English text. */
const EXPONENT = 1.07

/** Text whose words are as unevenly frequent as those of a language; equal seeds give equal texts. */
export function textSource(seed: number): (words: number) => string {
  const cumulative = new Float64Array(WORDS)
  let sum = 0
  for (let i = 0; i < WORDS; i += 1) {
    sum += 1 / (i + 1) ** EXPONENT
    cumulative[i] = sum
  }
  const random = seededRandom(seed)
  const word = () => spell(indexAbove(cumulative, random() * sum))
  return (words) => Array.from({ length: words }, word).join(' ')
}

function indexAbove(cumulative: Float64Array, value: number): number {
  let low = 0
  let high = cumulative.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (cumulative[middle]! < value) low = middle + 1
    else high = middle
  }
  return low
}

/** A pronounceable word for a number; frequent words come out short. */
function spell(n: number): string {
  const CONSONANTS = 'bdfgklmnprstvz'
  const VOWELS = 'aeiou'
  let rest = n + CONSONANTS.length * VOWELS.length
  let word = ''
  while (rest > 0) {
    word += CONSONANTS[rest % CONSONANTS.length]
    rest = Math.floor(rest / CONSONANTS.length)
    word += VOWELS[rest % VOWELS.length]
    rest = Math.floor(rest / VOWELS.length)
  }
  return word
}

import { foldCase } from '../../../core/filters/fold.ts'
import { WORD_CHARACTER } from '../../../core/filters/words.ts'
import { complement, normalized, type Ranges, rangesOf, withCaseVariants } from './code-points.ts'

/**
 * A pattern of the RE2 dialect as a PostgreSQL "advanced regular expression" that finds a match in
 * the same texts; it has to run under collation "C". Case is spelled out (`k` becomes `[kKK]`), so
 * that it does not depend on the locale. The pattern has been accepted by RE2 before.
 *
 * As near as the database allows: it may refuse a pattern whose repetitions grow too large, and
 * `\p` classes follow the Unicode version of this process.
 */
export function postgresRegex(pattern: string, fold: boolean): string {
  return new Translator(fold ? pattern.normalize('NFC') : pattern, fold).translate()
}

/** A pattern that finds a folded word between characters that are no part of words. */
export function wordRegex(word: string): string {
  const outside = bracket(complement(rangesOf(WORD_CHARACTER)))
  const letters = [...foldCase(word)].map((letter) => escaped(letter.codePointAt(0)!)).join('')
  return `(?:^|${outside})${letters}(?:$|${outside})`
}

type Flags = { fold: boolean; multiline: boolean; dotall: boolean }

const DIGITS: Ranges = [[0x30, 0x39]]
const SPACES: Ranges = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
]
const WORDS: Ranges = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const PERL: Readonly<Record<string, Ranges>> = { d: DIGITS, s: SPACES, w: WORDS }
const NEWLINE: Ranges = [[0x0a, 0x0a]]

const POSIX: Readonly<Record<string, string>> = {
  alnum: '[0-9A-Za-z]',
  alpha: '[A-Za-z]',
  ascii: '[\\x00-\\x7f]',
  blank: '[\\t ]',
  cntrl: '[\\x00-\\x1f\\x7f]',
  digit: '[0-9]',
  graph: '[!-~]',
  lower: '[a-z]',
  print: '[ -~]',
  punct: '[!-\\/:-@\\[-`{-~]',
  space: '[\\t-\\r ]',
  upper: '[A-Z]',
  word: '[0-9A-Za-z_]',
  xdigit: '[0-9A-Fa-f]',
}

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }

class Translator {
  readonly #characters: readonly string[]
  #position = 0
  #flags: Flags

  constructor(pattern: string, fold: boolean) {
    this.#characters = [...unquoted(pattern)]
    this.#flags = { fold, multiline: false, dotall: false }
  }

  translate(): string {
    // The group also keeps the output from beginning with an option of PostgreSQL.
    return `(?:${this.#alternatives()})`
  }

  #alternatives(): string {
    let output = ''
    // `last` is the atom to which a repetition applies; it is written when the next one begins.
    let last = ''
    for (;;) {
      const character = this.#peek()
      if (character === undefined || character === ')') return output + last
      if (character === '|') {
        this.#position++
        output += `${last}|`
        last = ''
        continue
      }
      const repetition = last === '' ? null : this.#repetition()
      if (repetition) {
        last = repeated(last, repetition)
        continue
      }
      const atom = this.#atom()
      // Flags write nothing; a repetition after them applies to what stands before them.
      if (atom === '') continue
      output += last
      last = atom
    }
  }

  #peek(ahead = 0): string | undefined {
    return this.#characters[this.#position + ahead]
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const match = pattern.exec(this.#characters.slice(this.#position).join(''))
    if (match) this.#position += [...match[0]].length
    return match
  }

  /** A greedy or lazy repetition: whether there is a match does not depend on it. */
  #repetition(): { min: number; max: number } | null {
    const match = this.#take(/^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/)
    if (!match) return null
    const [text, min, comma, max] = match
    if (min === undefined) return { min: text[0] === '+' ? 1 : 0, max: text[0] === '?' ? 1 : Infinity }
    return { min: Number(min), max: comma ? (max ? Number(max) : Infinity) : Number(min) }
  }

  #atom(): string {
    const character = this.#peek()!
    switch (character) {
      case '(':
        return this.#group()
      case '[':
        return this.#class()
      case '.':
        this.#position++
        return bracket(this.#flags.dotall ? complement([]) : complement(NEWLINE))
      case '^':
        this.#position++
        return this.#flags.multiline ? String.raw`(?:^|(?<=\n))` : '(?:^)'
      case '$':
        this.#position++
        return this.#flags.multiline ? String.raw`(?:$|(?=\n))` : '(?:$)'
      case '\\':
        return this.#escape()
      default:
        this.#position++
        return this.#literal(character)
    }
  }

  #literal(character: string): string {
    const point = character.codePointAt(0)!
    const variants = this.#folded([[point, point]])
    return variants.length === 1 && variants[0]![0] === variants[0]![1] ? escaped(point) : bracket(variants)
  }

  #group(): string {
    this.#position++
    const flags = this.#flags
    if (this.#peek() === '?' && !this.#take(/^\?P?<\w+>/u)) {
      const [, on = '', off = '', end] = this.#take(/^\?([imsU]*)(?:-([imsU]+))?([:)])/)!
      this.#flags = {
        fold: (flags.fold || on.includes('i')) && !off.includes('i'),
        multiline: (flags.multiline || on.includes('m')) && !off.includes('m'),
        dotall: (flags.dotall || on.includes('s')) && !off.includes('s'),
      }
      // Flags alone hold until the group around them ends.
      if (end === ')') return ''
    }
    const inner = this.#alternatives()
    this.#position++
    this.#flags = flags
    return `(?:${inner})`
  }

  #escape(): string {
    const constraint = this.#take(/^\\[AzbB]/)
    // Under collation "C" \y and \Y know ASCII words only, as \b and \B of RE2 do.
    if (constraint)
      return { A: '(?:^)', z: '(?:$)', b: String.raw`(?:\y)`, B: String.raw`(?:\Y)` }[constraint[0][1]!]!
    const ranges = this.#classEscape()
    return ranges ? bracket(ranges) : this.#literal(String.fromCodePoint(this.#escapedPoint()))
  }

  /** `\d`, `\pL`, `\p{^Greek}` and their complements. */
  #classEscape(): Ranges | null {
    const perl = this.#take(/^\\([dswDSW])/)
    if (perl) {
      const name = perl[1]!
      const ranges = this.#folded(PERL[name.toLowerCase()]!)
      return name === name.toLowerCase() ? ranges : complement(ranges)
    }
    const property = this.#take(/^\\([pP])(?:\{(\^?)([^}]*)\}|(.))/u)
    if (!property) return null
    const [, kind, caret, long, short] = property
    const ranges = this.#folded(propertyRanges(long ?? short!))
    return (kind === 'P') === (caret === '^') ? ranges : complement(ranges)
  }

  #folded(ranges: Ranges): Ranges {
    return this.#flags.fold ? withCaseVariants(ranges) : ranges
  }

  /** The character that an escape or the next character stands for. */
  #escapedPoint(): number {
    const hex = this.#take(/^\\x(?:\{([\da-fA-F]+)\}|([\da-fA-F]{2}))/)
    if (hex) return Number.parseInt(hex[1] ?? hex[2]!, 16)
    const octal = this.#take(/^\\([0-7]{1,3})/)
    if (octal) return Number.parseInt(octal[1]!, 8)
    if (this.#peek() === '\\') {
      this.#position++
      const control = CONTROLS[this.#peek()!]
      if (control !== undefined) {
        this.#position++
        return control
      }
    }
    const character = this.#peek()!
    this.#position++
    return character.codePointAt(0)!
  }

  #class(): string {
    this.#position++
    const negated = this.#peek() === '^'
    if (negated) this.#position++
    const ranges: (readonly [number, number])[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) ranges.push(...this.#classPart())
    this.#position++
    return bracket(negated ? complement(ranges) : normalized(ranges))
  }

  #classPart(): Ranges {
    const posix = this.#take(/^\[:(\^?)(\w+):\]/)
    if (posix) {
      const ranges = this.#folded(rangesOf(POSIX[posix[2]!]!))
      return posix[1] ? complement(ranges) : ranges
    }
    const known = this.#classEscape()
    if (known) return known
    const from = this.#escapedPoint()
    let to = from
    if (this.#peek() === '-' && this.#peek(1) !== ']') {
      this.#position++
      to = this.#escapedPoint()
    }
    return this.#folded([[from, to]])
  }
}

/** Writes out `\Q…\E` character by character, because a repetition after it applies to the last one. */
function unquoted(pattern: string): string {
  return pattern.replace(/\\Q([\s\S]*?)(?:\\E|$)|\\[\s\S]/g, (whole, text?: string) =>
    text === undefined
      ? whole
      : [...text].map((letter) => `\\x{${letter.codePointAt(0)!.toString(16)}}`).join(''),
  )
}

/** A general category or a script of Unicode. */
function propertyRanges(name: string): Ranges {
  if (name === 'Any') return complement([])
  const property = /^\p{Lu}\p{Ll}?$/u.test(name) ? name : `Script=${name}`
  return rangesOf(`\\p{${property}}`)
}

/** The largest count PostgreSQL allows in one repetition. */
const COUNT_MAX = 255

function repeated(atom: string, { min, max }: { min: number; max: number }): string {
  const part = `(?:${atom})`
  const required = chunks(min).map((count) => `${part}{${count}}`)
  const optional = max === Infinity ? [`${part}*`] : chunks(max - min).map((count) => `${part}{0,${count}}`)
  return `(?:${required.join('')}${optional.join('')})`
}

function chunks(total: number): number[] {
  const counts: number[] = []
  for (let rest = total; rest > 0; rest -= COUNT_MAX) counts.push(Math.min(rest, COUNT_MAX))
  return counts
}

function bracket(ranges: Ranges): string {
  // PostgreSQL text has no NUL.
  const parts = ranges
    .filter(([, last]) => last > 0)
    .map(([first, last]) => {
      const from = escaped(Math.max(first, 1))
      return first === last ? from : `${from}-${escaped(last)}`
    })
  return parts.length > 0 ? `[${parts.join('')}]` : NOTHING
}

/** Matches no text. */
const NOTHING = '(?:a(?<!a))'

function escaped(point: number): string {
  if (point === 0) return NOTHING
  const character = String.fromCodePoint(point)
  if (/^[A-Za-z0-9]$/.test(character)) return character
  return point > 0xffff
    ? `\\U${point.toString(16).padStart(8, '0')}`
    : `\\u${point.toString(16).padStart(4, '0')}`
}

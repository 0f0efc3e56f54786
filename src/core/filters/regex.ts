import { RE2JS } from 're2js'
import { KuraError } from '../errors.ts'

export const REGEX_LENGTH_MAX = 512

/** Compiled patterns kept; compiling costs more than most matches. */
const CACHE_MAX = 200
const compiled = new Map<string, RE2JS>()

/**
 * An unanchored test for a pattern of the RE2 dialect, whose time is linear in the text whatever
 * the pattern. With `fold`, pattern and text are taken in NFC and case does not count.
 * Throws `invalid_regex`.
 */
export function regexTest(pattern: string, fold: boolean): (text: string) => boolean {
  const regex = compile(fold ? pattern.normalize('NFC') : pattern, fold)
  return fold ? (text) => regex.test(text.normalize('NFC')) : (text) => regex.test(text)
}

function compile(pattern: string, fold: boolean): RE2JS {
  const key = `${fold ? 'i' : 's'}${pattern}`
  const known = compiled.get(key)
  if (known) return known
  if (pattern.length > REGEX_LENGTH_MAX)
    throw new KuraError('invalid_regex', { reason: `it has ${pattern.length} characters` })
  let regex: RE2JS
  try {
    regex = RE2JS.compile(pattern, fold ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (cause) {
    throw new KuraError('invalid_regex', { reason: (cause as Error).message }, { cause })
  }
  if (compiled.size >= CACHE_MAX) compiled.delete(compiled.keys().next().value!)
  compiled.set(key, regex)
  return regex
}

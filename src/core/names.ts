import { KuraError, type Violation } from './errors.ts'

export const NAME_LENGTH_MAX = 255

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f/]/

/**
 * The stored form of a resource name (trimmed), or undefined after adding what is wrong with it.
 * Names appear in URLs, so they hold no slash. Throws `reserved_name` for a name that a static
 * path segment of the resource would hide.
 */
export function checkName(
  value: string,
  loc: (string | number)[],
  violations: Violation[],
  reserved: readonly string[] = [],
): string | undefined {
  const name = value.trim()
  const add = (type: string, msg: string) => void violations.push({ loc, msg, type })
  if (name.length === 0) add('string_too_short', 'String should have at least 1 character')
  else if (name.length > NAME_LENGTH_MAX)
    add('string_too_long', `String should have at most ${NAME_LENGTH_MAX} characters`)
  else if (FORBIDDEN.test(name)) add('value_error', 'A name may not contain "/" or control characters')
  else if (reserved.includes(name)) throw new KuraError('reserved_name', { name })
  else return name
  return undefined
}

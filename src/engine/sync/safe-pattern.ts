import { RE2JS } from 're2js'

type Compiled =
  | { problem: string; match?: never }
  | { problem: null; match(text: string): string | undefined }

const compiled = new Map<string, Compiled>()
const KEPT_MAX = 200

/** A pattern with exactly one capture group, in the RE2 dialect: its time is linear in the text. */
export function compilePattern(pattern: string): Compiled {
  const known = compiled.get(pattern)
  if (known) return known
  if (compiled.size >= KEPT_MAX) compiled.clear()
  const result = compile(pattern)
  compiled.set(pattern, result)
  return result
}

function compile(pattern: string): Compiled {
  try {
    const regex = RE2JS.compile(pattern)
    if (regex.groupCount() !== 1)
      return { problem: `The pattern needs exactly 1 capture group, it has ${regex.groupCount()}` }
    return {
      problem: null,
      match(text) {
        const matcher = regex.matcher(text)
        return matcher.find() ? (matcher.group(1) ?? undefined) : undefined
      },
    }
  } catch (error) {
    return { problem: `Not a regular expression (RE2 syntax): ${(error as Error).message}` }
  }
}

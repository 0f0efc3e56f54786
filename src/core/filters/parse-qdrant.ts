import { isObject } from '../json.ts'
import { type Context, malformed } from './parse-context.ts'

/** What a condition in the style of Qdrant asks of its key. */
type QdrantTest = { operator: string; value: unknown }

const TEST_MEMBERS = ['match', 'range', 'value', 'operator']

/** `{key, match}`, `{key, range}` and the loose `{key, value}`. */
export function isQdrantCondition(members: Record<string, unknown>): boolean {
  return typeof members.key === 'string' && TEST_MEMBERS.some((name) => Object.hasOwn(members, name))
}

const MATCHES: Readonly<Record<string, string>> = { value: 'eq', any: 'in', text: 'text', except: 'nin' }

export function qdrantTests(
  { match, range, operator, value }: Record<string, unknown>,
  context: Context,
): QdrantTest[] {
  const tests: QdrantTest[] = []
  if (match !== undefined && match !== null) {
    const entries = isObject(match) ? Object.entries(match) : []
    if (entries.length === 0) throw unreadable(context, 'match', '{"value": …}, {"any": […]} or {"text": …}')
    for (const [name, operand] of entries) {
      if (!Object.hasOwn(MATCHES, name)) throw unreadable(context, 'match', 'value, any, text or except')
      tests.push({ operator: MATCHES[name]!, value: operand })
    }
  }
  if (range !== undefined && range !== null) {
    if (!isObject(range)) throw unreadable(context, 'range', '{"gte": …, "lt": …}')
    for (const [name, operand] of Object.entries(range)) {
      // Typed clients send all four bounds, the unused ones as null.
      if (operand !== null) tests.push({ operator: name, value: operand })
    }
  }
  if (value !== undefined || operator !== undefined)
    tests.push({
      operator: typeof operator === 'string' ? operator : Array.isArray(value) ? 'in' : 'eq',
      value,
    })
  if (tests.length === 0) throw malformed(context, 'A match, range or value is missing')
  return tests
}

const unreadable = (context: Context, member: string, expected: string) =>
  malformed(context, `Input should be ${expected}`, 'value_error', member)

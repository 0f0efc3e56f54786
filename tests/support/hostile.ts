import fc from 'fast-check'
import { isObject } from '../../src/core/json.ts'

type Node = Record<string, unknown>
type Value = fc.Arbitrary<unknown>

/** Text that programs are known to stumble over: scripts, controls, escapes, wildcards, SQL, templates. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u202eevil\u202c',
  'שלום עולם',
  'مرحبا',
  '👩‍👩‍👧‍👦',
  'e\u0301\u0301\u0301',
  'İıſK',
  '\ufeff\ufffe\uffff',
  '\u2028\u2029\r\n\t\v\f\b\u001b[31m',
  "'; drop table documents; --",
  '" or 1=1 --',
  "$1 ? :name @p {x} '' \\",
  '%_\\*?[a-z]^$(',
  '../../../etc/passwd',
  'kura://files/file_aaaaaaaaaaaaaaaaaaaa',
  'http://127.0.0.1:1/',
  'file:///etc/passwd',
  'data:image/png;base64,AAAA',
  'data:,',
  'AAAA====',
  '{{inputs.query}}',
  '{{DOC.title}} {{ INPUT.x | tojson }}',
  '{% for x in range(9) %}{{ x }}{% endfor %}',
  '{{',
  'constructor',
  'toString',
  'null',
  'NaN',
  '-0',
  '1e400',
  '0x10',
  '9007199254740993',
  '2026-13-45T99:99:99Z',
  '2026-01-01T00:00:00Z',
  '-999999-01-01',
  'x'.repeat(300),
  'ß'.repeat(5000),
  'a.b.c',
  'a[0][1]',
  '.'.repeat(200),
]

/** Text that no store takes; every body with one of these is refused as a whole. */
const UNSTORABLE = ['__proto__', '\0', 'a\0b', '\ud800', '\udc00x']

export const hostileNumbers: fc.Arbitrary<number> = fc.constantFrom(
  ...[0, -0, 1, -1, 1.5, -2.5, 10, 100, 1000, 1001, 1e9, -1e9, 2 ** 31, -(2 ** 31) - 1, 2 ** 53],
  ...[2 ** 53 + 2, -(2 ** 63), 2 ** 64, 1e21, 1e-320, 5e-324, 1.7976931348623157e308, 0.1],
)

/** Anything that JSON can say; strings and names come from `words` or are hostile. */
export function anyJson(words: readonly string[]): Value {
  const text = texts(words)
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, depthSize: 'small', withCrossShrink: true },
      { weight: 4, arbitrary: text },
      { weight: 2, arbitrary: hostileNumbers },
      { weight: 1, arbitrary: fc.boolean() },
      { weight: 1, arbitrary: fc.constant(null) },
      { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
      { weight: 3, arbitrary: dictionary(words, tie('value')) },
    ),
  }))
  return value as Value
}

/** Objects whose members are named by `words`, sometimes by hostile text. */
const dictionary = (words: readonly string[], value: Value): Value =>
  fc.dictionary(texts(words), value, { maxKeys: 4, noNullPrototype: true })

const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

export const texts = (words: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 150, arbitrary: fc.constantFrom(...(words.length > 0 ? words : ['x'])) },
    { weight: 40, arbitrary: fc.constantFrom(...HOSTILE_TEXTS) },
    { weight: 20, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }).filter(isStorable) },
    { weight: 1, arbitrary: fc.constantFrom(...UNSTORABLE) },
  )

type Options = {
  /** What strings and free names are made of. */
  words: readonly string[]
  /** Better values for some members, by name. */
  members?: Record<string, Value>
  /** Of a hundred values, those that are replaced by anything at all. */
  broken?: number
}

/** Values of a JSON Schema (the subset that the routes use), some of them broken in one place or another. */
export function fromSchema(schema: unknown, options: Options): Value {
  const { words, broken = 1 } = options
  const good = goodValue((schema ?? {}) as Node, options)
  return fc.oneof({ weight: 100 - broken, arbitrary: good }, { weight: broken, arbitrary: anyJson(words) })
}

function goodValue(schema: Node, options: Options): Value {
  const { words } = options
  if (Array.isArray(schema.anyOf))
    return fc.oneof(...(schema.anyOf as Node[]).map((branch) => goodValue(branch, options)))
  if ('const' in schema) return fc.constant(schema.const)
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]))
  switch (schema.type) {
    case 'string': {
      const { minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema as Record<string, number>
      const fits = (text: string) => text.length >= minLength && text.length <= maxLength
      return texts(words.filter(fits))
    }
    case 'integer':
    case 'number':
      return fc.oneof(
        {
          weight: 20,
          arbitrary: fc.integer({ min: Number(schema.minimum ?? 0), max: Number(schema.maximum ?? 20) }),
        },
        { weight: 1, arbitrary: hostileNumbers },
      )
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(fromSchema(schema.items, options), {
        minLength: Number(schema.minItems ?? 0),
        maxLength: 3,
      })
    case 'object':
      return isObject(schema.properties)
        ? members(schema, options)
        : dictionary(words, memberOf(schema, options))
    default:
      return anyJson(words)
  }
}

/** What stands behind the keys of a map. */
function memberOf(schema: Node, options: Options): Value {
  const pattern = isObject(schema.patternProperties) ? Object.values(schema.patternProperties)[0] : undefined
  return isObject(pattern) && Object.keys(pattern).length > 0
    ? fromSchema(pattern, options)
    : anyJson(options.words)
}

function members(schema: Node, options: Options): Value {
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : []
  const declared: Record<string, Value> = {}
  for (const [name, member] of Object.entries(schema.properties as Node)) {
    const better = options.members?.[name]
    const plain = fromSchema(member, options)
    const value = better
      ? fc.oneof({ weight: 19, arbitrary: better }, { weight: 1, arbitrary: plain })
      : plain
    // Required members are left out now and then only: otherwise hardly a request passes the first check.
    const isRequired = required.includes(name) && (member as Node).default === undefined
    const [given, absent] = isRequired ? [60, 1] : better ? [1, 1] : [1, 4]
    declared[name] = fc.oneof(
      { weight: given, arbitrary: value },
      { weight: absent, arbitrary: fc.constant(ABSENT) },
    )
  }
  const extras = dictionary(options.words, anyJson(options.words))
  return fc
    .tuple(fc.record(declared), schema.additionalProperties === true ? extras : fc.constant({}))
    .map(([own, more]) => {
      const present = Object.entries(own).filter(([, value]) => value !== ABSENT)
      return { ...(more as object), ...Object.fromEntries(present) }
    })
}

const ABSENT = Symbol('absent')

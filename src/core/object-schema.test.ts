import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BucketSchemaField } from './bucket-schema.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { checkObject, fieldValue, schemaValidationFailed, withDefaults } from './object-schema.ts'

const NONE: ReadonlySet<string> = new Set()

function violations(
  properties: Record<string, BucketSchemaField>,
  fields: JsonObject,
  blob_properties = NONE,
) {
  return checkObject({ properties }, { fields, blob_properties }, ['body'])
}
const places = (...args: Parameters<typeof violations>) =>
  violations(...args).map(({ loc, type }) => [loc.join('.'), type])

describe('types', () => {
  const RIGHT: Record<string, JsonValue[]> = {
    string: ['', 'x'],
    number: [1, 1.5, -0],
    float: [1, 1.5],
    integer: [0, -3, 2 ** 53],
    boolean: [true, false],
    object: [{}, { a: 1 }],
    array: [[], [1, 'x']],
    date: ['2026-01-31', '2024-02-29'],
    datetime: ['2026-01-31T10:00:00Z', '2026-01-31T10:00:00.123456+02:00', '2026-01-31', '2026-01-31 10:00'],
    text: ['words'],
    image: ['https://a/b.jpg'],
    audio: ['x'],
    video: ['x'],
    pdf: ['x'],
    excel: ['x'],
  }
  const WRONG: Record<string, JsonValue[]> = {
    string: [1, true, {}, []],
    number: ['1', true, {}, []],
    float: ['1.5', true],
    integer: [1.5, '1', true],
    boolean: [0, 1, 'true'],
    object: [[], 'x', 1],
    array: [{}, 'x', 1],
    date: ['2026-02-30', '2026-1-1', '2026-01-31T00:00:00Z', 20260131, 'today'],
    datetime: ['31.01.2026', 1769853600, '2026-13-01', ''],
    text: [1, {}, []],
    image: [1, {}],
    audio: [1],
    video: [1],
    pdf: [1],
    excel: [1],
  }
  for (const type of Object.keys(RIGHT) as BucketSchemaField['type'][]) {
    test(`${type} takes its values and no others`, () => {
      for (const x of RIGHT[type]!) assert.deepEqual(places({ x: { type } }, { x }), [], JSON.stringify(x))
      for (const x of WRONG[type]!) assert.equal(places({ x: { type } }, { x }).length, 1, JSON.stringify(x))
    })
  }
})

test('a required field needs a value; null is none; a blob is one', () => {
  const schema = { x: { type: 'string', required: true }, i: { type: 'image', required: true } } as const
  assert.deepEqual(places(schema, { x: null }), [
    ['body.x', 'missing'],
    ['body.i', 'missing'],
  ])
  assert.deepEqual(places(schema, { x: 'y' }, new Set(['i'])), [])
})

test('fields the schema does not name are free, and optional ones may be null', () => {
  assert.deepEqual(places({ x: { type: 'integer' } }, { x: null, y: { any: 'thing' } }), [])
})

test('a name means the root member, else the one under metadata', () => {
  assert.equal(fieldValue({ x: 1, metadata: { x: 2 } }, 'x'), 1)
  assert.equal(fieldValue({ metadata: { x: 2 } }, 'x'), 2)
  assert.equal(fieldValue({ x: null, metadata: { x: 2 } }, 'x'), 2)
  assert.equal(fieldValue({}, 'constructor'), undefined)
  assert.deepEqual(places({ x: { type: 'string', required: true } }, { metadata: { x: 3 } }), [
    ['body.metadata.x', 'string_type'],
  ])
})

test('nested properties and items are checked, with the path of the fault', () => {
  const schema: Record<string, BucketSchemaField> = {
    author: {
      type: 'object',
      properties: {
        name: { type: 'string', required: true },
        tags: { type: 'array', items: { type: 'object', properties: { id: { type: 'integer' } } } },
      },
    },
  }
  assert.deepEqual(places(schema, { author: { name: 'a', tags: [{ id: 1 }] } }), [])
  assert.deepEqual(places(schema, { author: { tags: [{ id: 1 }, { id: 'x' }] } }), [
    ['body.author.name', 'missing'],
    ['body.author.tags.1.id', 'int_type'],
  ])
})

test('an enum compares JSON values; in lists it holds for each element', () => {
  const schema: Record<string, BucketSchemaField> = {
    size: { type: 'string', enum: ['s', 'm'] },
    tags: { type: 'array', enum: ['a', { x: 1, y: 2 }] },
  }
  assert.deepEqual(places(schema, { size: 's', tags: ['a', { y: 2, x: 1 }] }), [])
  assert.deepEqual(places(schema, { size: 'S', tags: ['a', 'b'] }), [
    ['body.size', 'enum'],
    ['body.tags.1', 'enum'],
  ])
  assert.match(violations(schema, { size: 'l' })[0]!.msg, /'s' or 'm'/)
})

test('defaults fill what is missing or null, at any depth, and nothing else', () => {
  const properties: Record<string, BucketSchemaField> = {
    lang: { type: 'string', default: 'en' },
    seen: { type: 'integer', default: 0 },
    off: { type: 'boolean', default: false },
    plain: { type: 'string' },
    author: { type: 'object', properties: { role: { type: 'string', default: 'guest' } } },
    title: { type: 'text', default: 'none' },
  }
  const fill = (fields: JsonObject, blob_properties = NONE) =>
    withDefaults({ properties }, { fields, blob_properties })
  assert.deepEqual(fill({}), { lang: 'en', seen: 0, off: false, title: 'none' })
  assert.deepEqual(fill({ lang: 'de', seen: null, author: { a: 1 }, title: 't' }), {
    lang: 'de',
    seen: 0,
    off: false,
    author: { a: 1, role: 'guest' },
    title: 't',
  })
  const inMetadata = fill({ metadata: { lang: 'fr' } }, new Set(['title']))
  assert.deepEqual(inMetadata, { metadata: { lang: 'fr' }, seen: 0, off: false })
})

test('a default is copied, not shared between objects', () => {
  const properties: Record<string, BucketSchemaField> = { tags: { type: 'array', default: ['a'] } }
  const one = withDefaults({ properties }, { fields: {}, blob_properties: NONE })
  ;(one.tags as JsonValue[]).push('b')
  assert.deepEqual(properties.tags!.default, ['a'])
})

test('the error lists every fault with its path', () => {
  const error = schemaValidationFailed(
    violations({ a: { type: 'integer' }, b: { type: 'string', required: true } }, { a: 'x' }),
  )
  assert.equal(
    error.message,
    'Schema validation failed: a: Input should be a valid integer; b: Field required',
  )
  assert.equal(error.code, 'schema_validation_failed')
  assert.equal(error.violations.length, 2)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BucketSchema,
  type BucketSchemaField,
  canonicalBucketSchema,
  METADATA_TYPES,
} from './bucket-schema.ts'
import { checkBucketSchema, schemaIncompatibility } from './bucket-schema-rules.ts'
import type { Violation } from './errors.ts'
import type { JsonObject, JsonValue } from './json.ts'
import { checkObject, withDefaults } from './object-schema.ts'
import { validator } from './validation.ts'

type Fields = Record<string, BucketSchemaField>

const NONE: ReadonlySet<string> = new Set()
const DEPTH_MAX = 3

/** Names that mean something to JavaScript are names like others. */
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text !== 'metadata'),
  fc.constantFrom('constructor', 'toString', 'hasOwnProperty', 'a.b', 'é', '0', 'required', 'properties'),
)

const scalars: Record<string, fc.Arbitrary<JsonValue>> = {
  string: fc.string(),
  number: fc.double({ noNaN: true, noDefaultInfinity: true }),
  float: fc.double({ noNaN: true, noDefaultInfinity: true }),
  integer: fc.integer(),
  boolean: fc.boolean(),
  date: fc.date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true }).map(day),
  datetime: fc
    .date({ min: new Date('1900-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}

/** A field with a value that fits it. */
type Sample = { field: BucketSchemaField; value: JsonValue }

function sample(depth: number): fc.Arbitrary<Sample> {
  const scalar = fc.constantFrom(...Object.keys(scalars)).chain((type) =>
    fc
      .tuple(scalars[type]!, fc.boolean(), fc.boolean(), scalars[type]!)
      .map(([value, required, listed, other]) => ({
        field: {
          type: type as BucketSchemaField['type'],
          required,
          ...(listed && { enum: [other, value] }),
          ...(listed && { default: other }),
        },
        value,
      })),
  )
  if (depth >= DEPTH_MAX) return scalar
  const object = members(depth + 1).map(({ fields, value }) => ({
    field: { type: 'object' as const, required: true, properties: fields },
    value,
  }))
  const array = sample(depth + 1).chain(({ field, value }) =>
    fc.integer({ min: 0, max: 3 }).map((length) => ({
      field: { type: 'array' as const, items: { ...field, required: false } },
      value: Array.from({ length }, () => value),
    })),
  )
  return fc.oneof({ weight: 3, arbitrary: scalar }, object, array)
}

function members(depth: number): fc.Arbitrary<{ fields: Fields; value: JsonObject }> {
  return fc
    .uniqueArray(fc.tuple(name, sample(depth)), { selector: ([key]) => key, maxLength: 5 })
    .map((entries) => ({
      fields: Object.fromEntries(entries.map(([key, { field }]) => [key, field])),
      value: Object.fromEntries(entries.map(([key, { value }]) => [key, value])),
    }))
}

const schemas = members(0)

const violationsOf = (properties: Fields, fields: JsonObject) =>
  checkObject({ properties }, { fields, blob_properties: NONE }, [])

test('a schema survives the way through the API, and is then canonical', () => {
  fc.assert(
    fc.property(schemas, ({ fields }) => {
      const violations: Violation[] = []
      const sent = JSON.parse(JSON.stringify({ properties: fields }))
      const stored = validator(BucketSchema)(canonicalBucketSchema(sent), [], violations) as BucketSchema
      checkBucketSchema(stored, [], violations)
      assert.deepEqual(violations, [])
      const again = validator(BucketSchema)(canonicalBucketSchema(structuredClone(stored)), [], violations)
      assert.deepEqual(again, stored)
      assert.equal(schemaIncompatibility(stored, again as BucketSchema), null, 'a schema fits itself')
      for (const [key, field] of Object.entries(fields)) {
        assert.equal(stored.properties[key]!.type, field.type)
        assert.deepEqual(stored.properties[key]!.enum, sent.properties[key].enum)
      }
    }),
  )
})

test('types in any case, a JSON Schema wrapper and lists of required names are the same schema', () => {
  const spelled = (fields: Fields): JsonObject => ({
    type: 'object',
    required: Object.keys(fields).filter((key) => fields[key]!.required),
    properties: Object.fromEntries(
      Object.entries(fields).map(([key, { required: _required, properties, items, ...rest }]) => [
        key,
        {
          ...rest,
          type: rest.type.toUpperCase(),
          ...(items && { items: { ...items, type: items.type.toUpperCase() } }),
          ...(properties && {
            required: spelled(properties).required,
            properties: spelled(properties).properties,
          }),
        },
      ]),
    ) as JsonObject,
  })
  fc.assert(
    fc.property(schemas, ({ fields }) => {
      const canonical = (raw: unknown) => validator(BucketSchema)(canonicalBucketSchema(raw), [], [])
      assert.deepEqual(canonical(spelled(fields)), canonical({ properties: fields }))
    }),
  )
})

test('an object made for a schema passes, at the root or under metadata, with or without what is optional', () => {
  fc.assert(
    fc.property(schemas, ({ fields, value }) => {
      assert.deepEqual(violationsOf(fields, value), [])
      assert.deepEqual(violationsOf(fields, { metadata: value }), [])
      assert.deepEqual(violationsOf(fields, { ...value, not_in_the_schema: [1] }), [])
      const required = Object.fromEntries(Object.entries(value).filter(([key]) => fields[key]!.required))
      assert.deepEqual(violationsOf(fields, required), [])
    }),
  )
})

test('defaults never break an object, and filling twice is filling once', () => {
  fc.assert(
    fc.property(schemas, fc.infiniteStream(fc.boolean()), ({ fields, value }, drops) => {
      const kept = Object.fromEntries(
        Object.entries(value).filter(([key]) => fields[key]!.required || drops.next().value === true),
      )
      const filled = withDefaults({ properties: fields }, { fields: kept, blob_properties: NONE })
      assert.deepEqual(violationsOf(fields, filled), [])
      assert.deepEqual(
        withDefaults({ properties: fields }, { fields: filled, blob_properties: NONE }),
        filled,
      )
      for (const key of Object.keys(kept)) assert.ok(Object.hasOwn(filled, key))
    }),
  )
})

/** A value that is wrong for the field, whatever its enum. */
const wrongFor = ({ type }: BucketSchemaField): JsonValue =>
  type === 'object' || type === 'array'
    ? 'neither'
    : type === 'string'
      ? 7
      : type === 'boolean'
        ? 'true'
        : { a: 1 }

test('one wrong value anywhere fails and is named by its place', () => {
  /** Every place of a value with the field it belongs to. */
  function* places(
    fields: Fields,
    value: JsonObject,
    path: (string | number)[] = [],
  ): Generator<[(string | number)[], BucketSchemaField]> {
    for (const [key, field] of Object.entries(fields)) yield* placesOf(field, value[key]!, [...path, key])
  }
  function* placesOf(
    field: BucketSchemaField,
    value: JsonValue,
    path: (string | number)[],
  ): Generator<[(string | number)[], BucketSchemaField]> {
    yield [path, field]
    if (field.properties) yield* places(field.properties, value as JsonObject, path)
    if (field.items)
      for (const [i, item] of (value as JsonValue[]).entries())
        yield* placesOf(field.items, item, [...path, i])
  }
  function withValue(value: JsonValue, [head, ...rest]: (string | number)[], wrong: JsonValue): JsonValue {
    if (head === undefined) return wrong
    if (Array.isArray(value))
      return value.map((item, i) => (i === head ? withValue(item, rest, wrong) : item))
    const object = value as JsonObject
    return Object.fromEntries(
      Object.entries(object).map(([key, member]) => [
        key,
        key === head ? withValue(member, rest, wrong) : member,
      ]),
    )
  }
  fc.assert(
    fc.property(schemas, fc.nat(), ({ fields, value }, pick) => {
      const all = [...places(fields, value)]
      fc.pre(all.length > 0)
      const [path, field] = all[pick % all.length]!
      const found = violationsOf(fields, withValue(value, path, wrongFor(field)) as JsonObject)
      assert.deepEqual(
        found.map(({ loc }) => loc),
        [path],
      )
    }),
  )
})

test('a required field that is missing is named, at any depth', () => {
  fc.assert(
    fc.property(schemas, ({ fields, value }) => {
      for (const key of Object.keys(fields)) {
        const { [key]: _gone, ...rest } = value
        const expected = fields[key]!.required ? [{ loc: [key], msg: 'Field required', type: 'missing' }] : []
        assert.deepEqual(violationsOf(fields, rest), expected)
        assert.deepEqual(violationsOf(fields, { ...rest, [key]: null }), expected)
        assert.deepEqual(
          violationsOf({ outer: { type: 'object', properties: fields } }, { outer: rest }),
          expected.map((one) => ({ ...one, loc: ['outer', key] })),
        )
      }
    }),
  )
})

test('objects stored under a schema fit every schema that counts as compatible', () => {
  const changes = fc.record({
    optional: fc.boolean(),
    wider: fc.boolean(),
    texts: fc.boolean(),
    more: fc.boolean(),
  })
  fc.assert(
    fc.property(schemas, changes, ({ fields, value }, { optional, wider, texts, more }) => {
      const after = Object.fromEntries(
        Object.entries(fields).map(([key, field]) => [
          key,
          {
            ...field,
            ...(optional && { required: false }),
            ...(wider && field.enum && { enum: [...field.enum, 'more'] }),
            ...(texts && { description: 'said otherwise', examples: ['x'] }),
          },
        ]),
      )
      if (more) after[`${Object.keys(fields).join('')}+`] = { type: 'string' }
      assert.equal(schemaIncompatibility({ properties: fields }, { properties: after }), null)
      assert.deepEqual(violationsOf(after, value), [])
    }),
  )
})

test('no schema is compatible that lacks a field, retypes it or newly requires it', () => {
  fc.assert(
    fc.property(schemas, fc.nat(), ({ fields }, pick) => {
      const keys = Object.keys(fields)
      fc.pre(keys.length > 0)
      const key = keys[pick % keys.length]!
      const field = fields[key]!
      const { [key]: _gone, ...rest } = fields
      const retyped = METADATA_TYPES.find((type) => type !== field.type)!
      const worse: Fields[] = [rest, { ...fields, [key]: { ...field, type: retyped } }]
      if (!field.required) worse.push({ ...fields, [key]: { ...field, required: true } })
      if (field.enum) worse.push({ ...fields, [key]: { ...field, enum: [] } })
      for (const properties of worse)
        assert.notEqual(schemaIncompatibility({ properties: fields }, { properties }), null)
    }),
  )
})

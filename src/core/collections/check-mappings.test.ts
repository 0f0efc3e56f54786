import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FieldType } from '../bucket-schema.ts'
import { KuraError } from '../errors.ts'
import { canonicalMappings, checkMappings, type SentMappings } from './check-mappings.ts'
import type { ExtractorShape, FieldsSchema } from './config.ts'

const text: ExtractorShape = {
  name: 'text_extractor',
  inputs: { text: { accepts: ['text', 'string'], required: true } },
}
const multimodal: ExtractorShape = {
  name: 'multimodal_extractor',
  inputs: Object.fromEntries(
    [
      ['video', ['video']],
      ['image', ['image']],
      ['text', ['text', 'string']],
    ].map(([name, accepts]) => [name as string, { accepts: accepts as string[], required: false }]),
  ),
}
const fields = (types: Record<string, FieldType>): FieldsSchema => ({
  properties: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }])),
})
const check = (extractor: ExtractorShape, sent: SentMappings | null, schema: FieldsSchema | null) =>
  checkMappings({ extractor, sent, schema })
const code = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof KuraError) return error.code
    throw error
  }
  return 'none'
}
const schema: FieldsSchema = {
  properties: {
    title: { type: 'string' },
    photo: { type: 'image' },
    price: { type: 'number' },
    author: { type: 'object', properties: { name: { type: 'string' }, age: { type: 'integer' } } },
    free: { type: 'object' },
  },
}

test('the first segment must be a field of the source, and the error names what there is', () => {
  assert.equal(
    code(() => check(text, { text: 'titel' }, schema)),
    'input_mapping_field_not_found',
  )
  assert.equal(
    code(() => check(text, { text: 'metadata.title' }, schema)),
    'none',
  )
  assert.equal(
    code(() => check(text, { text: 'metadata.titel' }, schema)),
    'input_mapping_field_not_found',
  )
  assert.equal(
    code(() => check(text, { text: '__proto__' }, schema)),
    'input_mapping_field_not_found',
  )
})

test('a source without any schema cannot be mapped', () => {
  assert.equal(
    code(() => check(text, { text: 'title' }, null)),
    'bucket_schema_required',
  )
  assert.equal(
    code(() => check({ name: 'passthrough_extractor', inputs: {} }, null, null)),
    'none',
  )
})

test('the input must be one of the extractor', () => {
  assert.equal(
    code(() => check(text, { txt: 'title' }, schema)),
    'unknown_extractor_input',
  )
  assert.equal(
    code(() => check(text, { constructor: 'title' }, schema)),
    'unknown_extractor_input',
  )
  assert.equal(
    code(() => check({ name: 'p', inputs: {} }, { anything: 'title' }, schema)),
    'none',
  )
})

test('types must fit; a string fits wherever a text or a URL does', () => {
  assert.equal(
    code(() => check(text, { text: 'photo' }, schema)),
    'input_type_mismatch',
  )
  assert.equal(
    code(() => check(text, { text: 'price' }, schema)),
    'input_type_mismatch',
  )
  assert.equal(
    code(() => check(multimodal, { video: 'photo' }, schema)),
    'input_type_mismatch',
  )
  assert.equal(
    code(() => check(multimodal, { video: 'title' }, schema)),
    'none',
  )
  assert.equal(
    code(() => check(text, [{ input_key: 'text', source_type: 'vector', path: 'v' }], schema)),
    'input_type_mismatch',
  )
})

test('nested types are checked as far as the schema says them', () => {
  assert.equal(
    code(() => check(text, { text: 'author.name' }, schema)),
    'none',
  )
  assert.equal(
    code(() => check(text, { text: 'author.age' }, schema)),
    'input_type_mismatch',
  )
  assert.equal(
    code(() => check(text, { text: 'free.anything' }, schema)),
    'none',
  )
})

test('a mapping that leaves a required input open is refused', () => {
  const two: ExtractorShape = {
    name: 'x',
    inputs: { ...text.inputs, image: { accepts: ['image'], required: true } },
  }
  assert.equal(
    code(() => check(two, { text: 'title' }, schema)),
    'input_mapping_required',
  )
})

test('without mappings a field of the same name is taken, else the only one of a type that fits', () => {
  const paths = (extractor: ExtractorShape, types: Record<string, FieldType>) =>
    Object.fromEntries(
      check(extractor, null, fields(types)).map((one) => [one.input_key, 'path' in one ? one.path : null]),
    )
  assert.deepEqual(paths(text, { text: 'string', body: 'text' }), { text: 'text' })
  assert.deepEqual(paths(text, { body: 'text', price: 'number' }), { text: 'body' })
  assert.deepEqual(paths(multimodal, { video: 'video', photo: 'image', title: 'string' }), { video: 'video' })
  assert.deepEqual(paths(multimodal, { photo: 'image', title: 'string' }), { image: 'photo' })
})

test('without mappings an ambiguous or missing field is an error', () => {
  assert.equal(
    code(() => check(text, {}, fields({ a: 'text', b: 'string' }))),
    'input_mapping_required',
  )
  assert.equal(
    code(() => check(text, [], fields({ photo: 'image' }))),
    'input_mapping_required',
  )
  assert.equal(
    code(() => check(multimodal, null, fields({ price: 'number' }))),
    'input_mapping_required',
  )
})

test('the map and the list form mean the same, and an override is a literal', () => {
  assert.deepEqual(
    canonicalMappings({ text: 'title' }),
    canonicalMappings([{ input_key: 'text', source_type: null, path: 'title', override: null }]),
  )
  assert.deepEqual(canonicalMappings([{ input_key: 'text', path: 'title', override: 'x' }]), [
    { input_key: 'text', source_type: 'literal', override: 'x' },
  ])
  assert.equal(
    code(() => canonicalMappings([{ input_key: 'text' }])),
    'validation_error',
  )
  assert.equal(
    code(() => canonicalMappings([{ input_key: 'text', source_type: 'literal', path: 'a' }])),
    'validation_error',
  )
})

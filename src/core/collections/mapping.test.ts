import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBlob as blob } from '../../../tests/support/blob-entry.ts'
import type { BlobEntry } from '../blob-entry.ts'
import type { JsonObject } from '../json.ts'
import { canonicalMappings } from './check-mappings.ts'
import type { FieldsSchema } from './config.ts'
import { mapInputs } from './mapping.ts'
import type { ObjectRecord, UpstreamDocument } from './record.ts'

const TEXT = { text: { accepts: ['text', 'string'], required: true } }
const MEDIA = {
  image: { accepts: ['image'], required: false },
  text: { accepts: ['text', 'string'], required: false },
}
const schema: FieldsSchema = {
  properties: {
    title: { type: 'string' },
    body: { type: 'text' },
    photo: { type: 'image' },
    price: { type: 'number' },
    data: { type: 'object' },
  },
}

const object = (more: Partial<ObjectRecord>): ObjectRecord => ({
  kind: 'object',
  object_id: 'obj_a',
  bucket_id: 'bkt_a',
  key_prefix: null,
  created_at: '2026-01-01T00:00:00.000000Z',
  fields: {},
  blobs: [],
  ...more,
})
const document = (payload: UpstreamDocument['payload']): UpstreamDocument => ({
  kind: 'document',
  document_id: 'doc_a',
  collection_id: 'col_a',
  payload,
  internal: {},
})

const map = (
  mappings: Parameters<typeof canonicalMappings>[0],
  record: ObjectRecord | UpstreamDocument,
  inputs: Parameters<typeof mapInputs>[2] = TEXT,
) =>
  mapInputs(
    {
      input_schema: schema,
      feature_extractor: {
        feature_extractor_name: 'text_extractor',
        version: 'v1',
        feature_extractor_id: 'text_extractor_v1',
        parameters: {},
        input_mappings: canonicalMappings(mappings),
        field_passthrough: [],
        include_all_source_fields: false,
      },
    },
    record,
    inputs,
  )
const texts = (inputs: ReturnType<typeof map>) =>
  inputs.map(({ value }) => (value.kind === 'text' ? value.text : value.kind))

test('a name is the root member or else the one under metadata; metadata.x the other way round', () => {
  const both = object({ fields: { title: 'root', metadata: { title: 'nested' } } })
  assert.deepEqual(texts(map({ text: 'title' }, both)), ['root'])
  assert.deepEqual(texts(map({ text: 'metadata.title' }, both)), ['nested'])
  assert.deepEqual(texts(map({ text: 'title' }, object({ fields: { metadata: { title: 'nested' } } }))), [
    'nested',
  ])
  assert.deepEqual(texts(map({ text: 'metadata.title' }, object({ fields: { title: 'root' } }))), ['root'])
})

test('the prefixes $., payload. and blobs. lead to the same field', () => {
  const record = object({ fields: { title: 'a' } })
  for (const path of ['title', '$.title', 'payload.title', '$.payload.title', 'blobs.title'])
    assert.deepEqual(texts(map({ text: path }, record)), ['a'], path)
})

test('an inline text blob gives its text, before a member of the same name', () => {
  const record = object({
    fields: { body: 'member' },
    blobs: [blob('body', 'text', { file_id: 'file_1', properties: { text: 'blob' } })],
  })
  assert.deepEqual(texts(map({ text: 'body' }, record)), ['blob'])
})

test('a text blob without inline text is the file', () => {
  const large = blob('body', 'text', { file_id: 'file_1', properties: { url: 'kura://file_1' } })
  assert.deepEqual(map({ text: 'body' }, object({ blobs: [large] }))[0]!.value, { kind: 'blob', blob: large })
})

test('several blobs under one property are a row each, numbered in order', () => {
  const photos = ['a', 'b'].map((name) => blob('photo', 'image', { blob_id: name, file_id: `file_${name}` }))
  const inputs = map({ image: 'photo' }, object({ blobs: photos }), MEDIA)
  assert.deepEqual(
    inputs.map(({ blob_ordinal, blob_id }) => [blob_ordinal, blob_id]),
    [
      [0, 'a'],
      [1, 'b'],
    ],
  )
})

test('several mapped inputs are entries of their own; one of them is enough', () => {
  const mappings = { image: 'photo', text: 'title' }
  const full = object({ fields: { title: 'a' }, blobs: [blob('photo', 'image', { file_id: 'file_1' })] })
  assert.deepEqual(
    map(mappings, full, MEDIA).map(({ input_key }) => input_key),
    ['image', 'text'],
  )
  assert.deepEqual(texts(map(mappings, object({ fields: { title: 'a' } }), MEDIA)), ['a'])
})

test('a row whose mapped values are absent or empty has no inputs', () => {
  const empty: JsonObject[] = [{}, { title: null }, { title: '' }, { title: ' \n' }]
  for (const fields of empty) assert.deepEqual(map({ text: 'title' }, object({ fields })), [])
  assert.deepEqual(
    map({ text: 'body' }, object({ blobs: [blob('body', 'text', { properties: { text: '' } })] })),
    [],
  )
})

test('a literal feeds every row, but makes none of a row that lacks its own values', () => {
  const literal = { input_key: 'text', override: 'always' }
  assert.deepEqual(texts(map([literal], object({}))), ['always'])
  const both = [literal, { input_key: 'image', path: 'photo' }]
  assert.deepEqual(map(both, object({}), MEDIA), [])
})

test('a string mapped to a media input must be a URL', () => {
  const of = (value: string) =>
    map({ image: 'title' }, document({ title: value }), {
      image: { accepts: ['image'], required: true },
    })[0]!.value
  assert.deepEqual(of('https://x.test/a.png'), { kind: 'url', url: 'https://x.test/a.png', type: null })
  assert.equal(of('data:image/png;base64,AA==').kind, 'url')
  assert.equal(of('kura://files/file_1').kind, 'url')
  assert.equal(of('a red shoe').kind, 'invalid')
})

test('a string of a media field is a URL even where the input also reads text', () => {
  const inputs = { text: { accepts: ['text', 'string', 'pdf'], required: true } }
  const [input] = map({ text: 'photo' }, document({ photo: 's3://b/a.png' }), inputs)
  assert.deepEqual(input!.value, { kind: 'url', url: 's3://b/a.png', type: 'image' })
})

test('numbers feed a text input as text; objects do not', () => {
  assert.deepEqual(texts(map({ text: 'price' }, document({ price: 3.5 }))), ['3.5'])
  assert.equal(map({ text: 'data' }, document({ data: { a: 1 } }))[0]!.value.kind, 'invalid')
})

test('an extractor without inputs takes each record once, and skips what lacks its mapped values', () => {
  assert.equal(map({}, object({}), {}).length, 1)
  assert.equal(map({ any: 'title', other: 'body' }, object({ fields: { title: 'a' } }), {}).length, 1)
  assert.equal(map({ any: 'title' }, object({}), {}).length, 0)
})

test('inline JSON blobs are JSON, with objects merged into their properties', () => {
  const json = { any: { accepts: ['json'], required: true } }
  const of = (properties: BlobEntry['properties']) =>
    map({ any: 'data' }, object({ blobs: [blob('data', 'object', { properties })] }), json)[0]!.value
  assert.deepEqual(of({ a: 1 }), { kind: 'json', value: { a: 1 } })
  assert.deepEqual(of({ data: [1, 2] }), { kind: 'json', value: [1, 2] })
})

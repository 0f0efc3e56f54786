import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBlob as blob } from '../../../tests/support/blob-entry.ts'
import { KuraError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { checkPassthrough } from './check-passthrough.ts'
import type { FieldPassthrough, FieldsSchema } from './config.ts'
import { copiesAll, passthroughFields } from './passthrough.ts'
import type { SourceRecord } from './record.ts'

const schema: FieldsSchema = {
  properties: { title: { type: 'string' }, author: { type: 'object' }, photo: { type: 'image' } },
}
const entry = (source_path: string, more: Partial<FieldPassthrough> = {}): FieldPassthrough => ({
  source_path,
  required: false,
  ...more,
})
type Options = { all?: boolean; name?: string; blob_id?: string }
function pass(
  record: SourceRecord,
  list: FieldPassthrough[],
  { all = false, name = 'text_extractor', blob_id }: Options = {},
) {
  const feature_extractor = {
    feature_extractor_name: name,
    version: 'v1',
    feature_extractor_id: `${name}_v1`,
    parameters: {},
    input_mappings: [],
    field_passthrough: list,
    include_all_source_fields: all,
  }
  const config = { feature_extractor, input_schema: schema, vector_indexes: [] }
  return passthroughFields(config, record, { blob_id: blob_id ?? null })
}
const object = (fields: JsonObject, blobs: ReturnType<typeof blob>[] = []): SourceRecord => ({
  kind: 'object',
  object_id: 'obj_a',
  bucket_id: 'bkt_a',
  key_prefix: null,
  created_at: '2026-01-01T00:00:00.000000Z',
  fields,
  blobs,
})
const document = (payload: JsonObject): SourceRecord => ({
  kind: 'document',
  document_id: 'doc_a',
  collection_id: 'col_a',
  payload,
  internal: {},
})

test('a field goes to target_path or else to the last segment of its path', () => {
  const record = object({ author: { name: 'Ada' }, metadata: { title: 'T' } })
  assert.deepEqual(
    pass(record, [entry('author.name'), entry('metadata.title', { target_path: 'book.title' })]).fields,
    {
      name: 'Ada',
      book: { title: 'T' },
    },
  )
})

test('a missing field is its default, or left out, or fails the row when it is required', () => {
  const list = [entry('title', { default: 'none' }), entry('author'), entry('photo', { required: true })]
  assert.deepEqual(pass(object({}), list), { fields: { title: 'none' }, missing_required: ['photo'] })
  assert.deepEqual(pass(object({ title: null }), [entry('title', { required: true })]), {
    fields: { title: null },
    missing_required: [],
  })
})

test('all fields of an object: metadata at the root, text blobs as text, other blobs as URLs', () => {
  const record = object({ price: 1, metadata: { price: 2, brand: 'B' } }, [
    blob('body', 'text', { properties: { text: 'hello', url: 'kura://1' } }),
    blob('photo', 'image', { properties: { url: 'kura://2' } }),
    blob('far', 'image', { source_url: 'https://x.test/3' }),
  ])
  assert.deepEqual(pass(record, [], { all: true }).fields, {
    price: 1,
    brand: 'B',
    body: 'hello',
    photo: 'kura://2',
    far: 'https://x.test/3',
  })
})

test('of several blobs a document shows the one it comes from, with that blob’s metadata', () => {
  const record = object({}, [
    blob('photo', 'image', { blob_id: 'a', properties: { url: 'kura://a' }, metadata: { angle: 'front' } }),
    blob('photo', 'image', { blob_id: 'b', properties: { url: 'kura://b' }, metadata: { angle: 'back' } }),
  ])
  assert.deepEqual(pass(record, [], { all: true, blob_id: 'b' }).fields, { photo: 'kura://b', angle: 'back' })
  assert.deepEqual(pass(record, [], { all: true }).fields, { photo: ['kura://a', 'kura://b'] })
})

test('copying all and renaming makes the old name disappear, and leaves the source alone', () => {
  const payload = { title: 'T', author: { name: 'Ada', age: 1 }, __fully_enriched: true, metadata: { a: 1 } }
  const record = document(payload)
  const { fields } = pass(
    record,
    [entry('author.name', { target_path: 'writer' }), entry('title', { target_path: 'name' })],
    { all: true },
  )
  assert.deepEqual(fields, { author: { age: 1 }, writer: 'Ada', name: 'T', metadata: { a: 1 } })
  assert.deepEqual(payload.author, { name: 'Ada', age: 1 })
})

test('two fields can swap names', () => {
  const list = [entry('title', { target_path: 'photo' }), entry('photo', { target_path: 'title' })]
  assert.deepEqual(pass(document({ title: 1, photo: 2 }), list, { all: true }).fields, { photo: 1, title: 2 })
})

test('the copying extractor copies all for an empty list, the list alone otherwise, both when told', () => {
  const of = (list: FieldPassthrough[], include_all_source_fields: boolean, name = 'passthrough_extractor') =>
    copiesAll({ feature_extractor_name: name, field_passthrough: list, include_all_source_fields })
  assert.equal(of([], false), true)
  assert.equal(of([entry('title')], false), false)
  assert.equal(of([entry('title')], true), true)
  assert.equal(of([], false, 'text_extractor'), false)
})

const refuse = (list: FieldPassthrough[], outputs: string[] = []): string => {
  try {
    checkPassthrough({
      config: { feature_extractor_name: 'x', field_passthrough: list },
      schema,
      outputs,
      unreadable: [],
    })
  } catch (error) {
    if (error instanceof KuraError) return error.code
    throw error
  }
  return 'none'
}

test('a source path must be a field of the source', () => {
  assert.equal(refuse([entry('titel')]), 'field_passthrough_not_found')
  assert.equal(refuse([entry('metadata.title')]), 'none')
})

test('a target may not be a system name, an output of the extractor, or used twice', () => {
  for (const target_path of ['document_id', '_internal', '_internal.x', '__flag', 'metadata'])
    assert.equal(refuse([entry('title', { target_path })]), 'field_passthrough_conflict', target_path)
  assert.equal(refuse([entry('title', { target_path: 'text' })], ['text']), 'field_passthrough_conflict')
  assert.equal(
    refuse([entry('title'), entry('author', { target_path: 'title' })]),
    'field_passthrough_conflict',
  )
  assert.equal(refuse([entry('title'), entry('author')], ['text']), 'none')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentId, position, rowKey } from './identity.ts'

const object = { kind: 'object', object_id: 'obj_a', bucket_id: 'bkt_a', batch_id: 'btch_1' } as const
const upstream = {
  kind: 'document',
  document_id: 'doc_a',
  batch_id: 'btch_1',
  has_root_object: true,
  root_bucket_has_unique_key: false,
  upstream_in_batch: true,
} as const

test('with a unique key the object is known by bucket and key, whatever its id and batch', () => {
  const key = rowKey({ ...object, unique_key: '{"sku":"A1"}' })
  assert.equal(key, 'bkt_a{"sku":"A1"}')
  assert.equal(rowKey({ ...object, object_id: 'obj_b', batch_id: 'btch_2', unique_key: '{"sku":"A1"}' }), key)
})

test('without a unique key another batch makes another key', () => {
  assert.equal(rowKey({ ...object, unique_key: null }), 'obj_abtch_1')
  assert.equal(rowKey({ ...object, batch_id: 'btch_2', unique_key: null }), 'obj_abtch_2')
})

test('a later tier is salted only when it reads an earlier batch of a bucket without unique key', () => {
  assert.equal(rowKey(upstream), 'doc_a')
  assert.equal(rowKey({ ...upstream, upstream_in_batch: false }), 'doc_abtch_1')
  assert.equal(rowKey({ ...upstream, upstream_in_batch: false, root_bucket_has_unique_key: true }), 'doc_a')
  assert.equal(rowKey({ ...upstream, upstream_in_batch: false, has_root_object: false }), 'doc_a')
})

test('a position holds the declared fields in order, and input and ordinal only when they say something', () => {
  const fields = { end_time: 2.00049, start_time: 1.0005, chunk_index: 3 }
  const position_fields = ['start_time', 'end_time', 'page_number']
  assert.deepEqual(position(fields, { position_fields, input_key: null, blob_ordinal: 0 }), [1.001, 2, null])
  assert.deepEqual(position(fields, { position_fields: [], input_key: 'image', blob_ordinal: 2 }), [
    'image',
    2,
  ])
})

test('document ids never change: they are the contract between batches', () => {
  assert.equal(
    documentId('bkt_a{"sku":"A1"}', 'text_extractor_v1', 'col_a', [0, null]),
    'doc_1eedb41a869e4fb8b3e50803',
  )
  assert.equal(
    documentId('obj_abtch_1', 'passthrough_extractor_v1', 'col_a', []),
    'doc_8ae9a5e81f0795ba8cc65a8a',
  )
})

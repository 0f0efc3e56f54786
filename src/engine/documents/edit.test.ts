import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KuraError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import { patchedDocument, replacedDocument } from './edit.ts'
import type { DocumentRecord } from './record.ts'

const document: DocumentRecord = {
  document_seq: 1,
  document_id: 'doc_a',
  collection_id: 'col_a',
  root_object_id: null,
  root_bucket_id: null,
  source_document_id: null,
  created_at: '2026-01-01T00:00:00.000000Z',
  updated_at: '2026-01-01T00:00:00.000000Z',
  payload: { title: 'T', author: { name: 'Ada', born: 1815 }, tags: ['a', 'b'], __fully_enriched: true },
  internal: { lineage: { path: 'bkt/col' }, metadata: { ingestion_status: 'COMPLETED' } },
  document_blobs: [],
}
const context = { vector_names: ['text_embedding'], namespace_id: 'ns_a' }
const patch = (fields: JsonObject) => patchedDocument(document, fields, context)
const code = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof KuraError) return error.code
    throw error
  }
  return 'none'
}

test('a patch merges objects, replaces lists, stores null, and leaves the rest', () => {
  const { payload } = patch({ author: { born: null, died: 1852 }, tags: ['c'], title: null })
  assert.deepEqual(payload, {
    title: null,
    author: { name: 'Ada', born: null, died: 1852 },
    tags: ['c'],
    __fully_enriched: true,
  })
  assert.equal(document.payload.title, 'T')
})

test('a dotted key reaches inside an object and makes the objects on its way', () => {
  assert.deepEqual(patch({ 'author.name': 'A.', 'a.b.c': 1 }).payload, {
    ...document.payload,
    author: { name: 'A.', born: 1815 },
    a: { b: { c: 1 } },
  })
})

test('a replacement keeps nothing of the user, but flags and lineage', () => {
  const { payload, internal } = replacedDocument(document, { headline: 'H' }, context)
  assert.deepEqual(payload, { headline: 'H', __fully_enriched: true })
  assert.deepEqual(internal, document.internal)
})

test('ids and the time of creation may be repeated but not changed', () => {
  const same = {
    document_id: 'doc_a',
    collection_id: 'col_a',
    _internal: { namespace_id: 'ns_a', created_at: document.created_at },
  }
  assert.deepEqual(patch(same), {
    payload: document.payload,
    internal: document.internal,
    document_blobs: [],
  })
  for (const fields of [
    { document_id: 'doc_b' },
    { collection_id: 'col_b' },
    { _internal: { namespace_id: 'ns_b' } },
    { _internal: { internal_id: 'int_b' } },
    { '_internal.created_at': '2027-01-01T00:00:00Z' },
  ] as JsonObject[])
    assert.equal(
      code(() => patch(fields)),
      'immutable_field',
      JSON.stringify(fields),
    )
})

test('a vector cannot be named', () => {
  assert.equal(
    code(() => patch({ text_embedding: [1, 2] })),
    'vector_update_not_supported',
  )
})

test('lineage names, internal metadata and dotted internals are written to _internal', () => {
  const { internal, payload } = patch({
    root_object_id: 'obj_a',
    lineage_path: 'x/y',
    internal_metadata: { checked: true },
    '_internal.processing.source_url': 'https://x.test',
    source_blobs: [{ blob_id: 'b' }],
  })
  assert.deepEqual(internal, {
    lineage: { path: 'x/y', root_object_id: 'obj_a' },
    metadata: { ingestion_status: 'COMPLETED', checked: true },
    processing: { source_url: 'https://x.test' },
    source_blobs: [{ blob_id: 'b' }],
  })
  assert.deepEqual(payload, document.payload)
})

test('blobs that come back lose the link that was signed for their reader', () => {
  const blob = { field: 'photo', role: 'source', type: 'image', url: 'kura://files/file_a' }
  const { document_blobs } = patch({ document_blobs: [{ ...blob, presigned_url: 'https://x.test' }] })
  assert.deepEqual(document_blobs, [blob])
  assert.equal(
    code(() => patch({ document_blobs: [{ field: 'photo' }] })),
    'validation_error',
  )
  assert.equal(
    code(() => patch({ document_blobs: [{ ...blob, role: 'owner' }] })),
    'validation_error',
  )
})

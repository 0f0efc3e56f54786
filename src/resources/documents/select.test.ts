import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectFields } from './select.ts'

const document = {
  document_id: 'doc_a',
  collection_id: 'col_a',
  title: 'T',
  author: { name: 'Ada', age: 36 },
  scenes: [
    { start: 0, end: 1, label: 'a' },
    { start: 1, end: 2, label: 'b' },
  ],
  _internal: { created_at: '2026-01-01', lineage: { root_object_id: 'obj_a' } },
}
const ids = { document_id: 'doc_a', collection_id: 'col_a' }

test('ids are always shown, other fields only when they are selected', () => {
  assert.deepEqual(selectFields(document, ['title', 'missing']), { ...ids, title: 'T' })
})

test('a dotted path keeps the objects on its way without their other members', () => {
  assert.deepEqual(selectFields(document, ['author.name']), { ...ids, author: { name: 'Ada' } })
  assert.deepEqual(selectFields(document, ['scenes.start', 'scenes.label']), {
    ...ids,
    scenes: [
      { start: 0, label: 'a' },
      { start: 1, label: 'b' },
    ],
  })
})

test('the metadata prefix finds what stands at the root', () => {
  assert.deepEqual(selectFields(document, ['metadata.title']), { ...ids, title: 'T' })
})

test('a system name appears at the root, _internal only when it is named', () => {
  assert.deepEqual(selectFields(document, ['root_object_id']), { ...ids, root_object_id: 'obj_a' })
  assert.deepEqual(selectFields(document, ['_internal.created_at']), {
    ...ids,
    _internal: { created_at: '2026-01-01' },
  })
})

test('selecting does not change the document', () => {
  selectFields(document, ['author.name', 'author.age', 'scenes.start'])
  assert.deepEqual(document.author, { name: 'Ada', age: 36 })
})

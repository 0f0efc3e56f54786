import assert from 'node:assert/strict'
import test from 'node:test'
import { candidateField, documentField } from './document-fields.ts'
import { firstValues, parsePath, valuesAt } from './path.ts'

const at = (record: unknown, field: string) => valuesAt(record, parsePath(field))

test('dots separate members and brackets hold positions', () => {
  assert.deepEqual(parsePath('authors[0].name'), ['authors', 0, 'name'])
  assert.deepEqual(parsePath('grid[1][2]'), ['grid', 1, 2])
  assert.deepEqual(parsePath('[0].a'), [0, 'a'])
  assert.deepEqual(parsePath('a[x].b'), ['a[x]', 'b'])
})

test('a path steps into the objects of an array', () => {
  const record = { authors: [{ name: 'Ann' }, { name: 'Bob' }, { age: 3 }, 'text'] }
  assert.deepEqual(at(record, 'authors.name'), ['Ann', 'Bob'])
  assert.deepEqual(at(record, 'authors[1].name'), ['Bob'])
  assert.deepEqual(at(record, 'authors[9].name'), [])
})

test('stepping opens one level of arrays, not arrays within arrays', () => {
  assert.deepEqual(at({ a: [[{ b: 1 }]] }, 'a.b'), [])
  assert.deepEqual(at({ a: [[{ b: 1 }]] }, 'a[0].b'), [1])
})

test('a stored null is a value, a missing member is none', () => {
  assert.deepEqual(at({ a: null }, 'a'), [null])
  assert.deepEqual(at({}, 'a'), [])
  assert.deepEqual(at({ a: 'text' }, 'a.length'), [])
})

test('paths do not reach into prototypes', () => {
  assert.deepEqual(at({}, 'constructor.name'), [])
  assert.deepEqual(at({ list: [] }, 'list.length'), [])
})

test('a position on what is no array leads nowhere', () => {
  assert.deepEqual(at({ a: 'x' }, 'a[0]'), [])
})

const found = (document: unknown, field: string) => firstValues(document, documentField(field))

test('a document field is found as written first', () => {
  assert.deepEqual(found({ metadata: { x: 1 }, x: 2 }, 'metadata.x'), [1])
  assert.deepEqual(found({ created_at: 'mine', _internal: { created_at: 'system' } }, 'created_at'), ['mine'])
})

test('a metadata prefix falls back to the root of the document', () => {
  assert.deepEqual(found({ x: 2 }, 'metadata.x'), [2])
  assert.deepEqual(found({ metadata: { y: 1 }, x: 2 }, 'metadata.x'), [2])
})

test('system names lead into _internal', () => {
  const document = { _internal: { created_at: 'c', lineage: { root_object_id: 'obj_1', path: 'a/b' } } }
  assert.deepEqual(found(document, 'created_at'), ['c'])
  assert.deepEqual(found(document, 'metadata.created_at'), ['c'])
  assert.deepEqual(found(document, 'object_id'), ['obj_1'])
  assert.deepEqual(found(document, 'lineage_path'), ['a/b'])
  assert.deepEqual(found(document, '_internal.lineage.path'), ['a/b'])
})

test('stages know further names', () => {
  const candidate = (record: unknown, field: string) => firstValues(record, candidateField(field))
  assert.deepEqual(candidate({ description: 'd', title: 't' }, 'content'), ['d'])
  assert.deepEqual(candidate({ score: 0.5 }, '_score'), [0.5])
  assert.deepEqual(candidate({ taxonomy_x: { a: 1 } }, '_taxonomy_x.a'), [1])
  assert.deepEqual(candidate({ brand: 'b' }, 'payload.brand'), ['b'])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SourceItem } from '../../platform/sources/source-provider.ts'
import { mapItem } from './mapping.ts'
import type { MappingEntry } from './settings.ts'

const file: SourceItem = {
  kind: 'file',
  source_id: 's3://b/Animals/Cats/cat_12.json',
  version: '1',
  path: 'Animals/Cats/cat_12.json',
  name: 'cat_12.json',
  size_bytes: 1,
  modified_at: null,
  mime_type: null,
  properties: { owner: 'an\0n', title: 'Cats' },
}
const content = { metadata: { camera: ' Leica ' }, tags: { Project: '{"a":1}' } }

const mapped = (source: MappingEntry['source'], more: object = {}) =>
  mapItem(null, { mappings: { x: { target_type: 'field', source, ...more } } }, file, content).fields.x

test('each source gives its value: tags exactly, metadata in any case, segments from either end', () => {
  assert.equal(mapped({ type: 'tag', key: 'Project' }), '{"a":1}')
  assert.equal(mapped({ type: 'tag', key: 'project' }), undefined)
  assert.equal(mapped({ type: 'metadata', key: 'X-Amz-Meta-Camera' }), ' Leica ')
  assert.equal(mapped({ type: 'filename_regex', pattern: '_(\\d+)\\.' }), '12')
  assert.equal(mapped({ type: 'filename_regex', pattern: '-(x)', default: 'none' }), 'none')
  assert.equal(mapped({ type: 'folder_path' }), 'Cats')
  assert.equal(mapped({ type: 'folder_path', segment: 0 }), 'Animals')
  assert.equal(mapped({ type: 'folder_path', segment: -2 }), 'Animals')
  assert.equal(mapped({ type: 'folder_path', segment: 5 }), undefined)
  assert.equal(mapped({ type: 'folder_path', full_path: true }), 'Animals/Cats')
  assert.equal(mapped({ type: 'drive_property', key: 'title' }), 'Cats')
  assert.equal(mapped({ type: 'constant', value: 7 }), 7)
})

test('transforms change texts only, and what is no JSON stays a text', () => {
  assert.deepEqual(mapped({ type: 'tag', key: 'Project' }, { transform: 'json_parse' }), { a: 1 })
  assert.equal(mapped({ type: 'metadata', key: 'camera' }, { transform: 'json_parse' }), ' Leica ')
  assert.equal(mapped({ type: 'metadata', key: 'camera' }, { transform: 'trim' }), 'Leica')
  assert.equal(mapped({ type: 'constant', value: 7 }, { transform: 'uppercase' }), 7)
})

test('no value holds the character U+0000, which PostgreSQL cannot keep', () => {
  assert.equal(mapped({ type: 'drive_property', key: 'owner' }), 'ann')
})

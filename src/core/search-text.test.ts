import assert from 'node:assert/strict'
import { test } from 'node:test'
import { searchText } from './search-text.ts'

test('root texts and lists of texts are searched, nothing else', () => {
  const payload = {
    title: 'Sea otters',
    tags: ['river', 'sea', 3],
    thumbnail_url: 'kura://files/file_1',
    link: 'https://example.com/otter',
    note: 'see https://example.com for more',
    metadata: { chunk_text: 'Sea otters' },
    __pipeline_version: 1,
    __note: 'internal',
    year: 1998,
    empty: ' ',
  }
  assert.equal(searchText(payload), 'Sea otters\nriver\nsea\nsee https://example.com for more')
})

test('a list of more texts than a call takes arguments is read', () => {
  assert.equal(searchText({ tags: new Array(300_000).fill('ab') }).length, 3 * 300_000 - 1)
})

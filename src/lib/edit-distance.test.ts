import assert from 'node:assert/strict'
import { test } from 'node:test'
import { editDistance } from './edit-distance.ts'

test('the distance counts added, dropped and changed characters', () => {
  assert.equal(editDistance('', ''), 0)
  assert.equal(editDistance('text', ''), 4)
  assert.equal(editDistance('kitten', 'sitting'), 3)
  assert.equal(editDistance('sitting', 'kitten'), 3)
})

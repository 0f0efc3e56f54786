import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contextOf, extractAll, textInput } from '../../tests/support/extraction.ts'
import { passthroughExtractor } from './passthrough-extractor.ts'

test('a row gives one document without fields and vectors of its own', async () => {
  const context = contextOf(passthroughExtractor, textInput('anything'))
  const expected = [{ fields: {}, vectors: {} }]
  assert.deepEqual(await extractAll(passthroughExtractor, context), expected)
  assert.deepEqual(await passthroughExtractor.extractBatch!([context, context]), [expected, expected])
  assert.deepEqual(passthroughExtractor.vectors({ extractor_type: 'passthrough_extractor' }), [])
})

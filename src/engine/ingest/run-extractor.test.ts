import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Extracted, type Extractor, RowError } from '../../extractors/extractor.ts'
import { passthroughExtractor } from '../../extractors/passthrough-extractor.ts'
import type { Models } from '../../platform/models/models.ts'
import { type Call, runCalls } from './run-extractor.ts'

const models: Models = {
  describe: () => undefined,
  embedding: async () => assert.fail('no model is needed here'),
  close: async () => undefined,
}

const call = (text: string): Call => ({
  input_key: 'text',
  input: async () => ({ kind: 'text', text }),
  parameters: {},
  models,
})

const options = { signal: new AbortController().signal, row_timeout_ms: 5000, retry_delay_ms: 1 }

type Extract = (text: string, signal: AbortSignal) => Promise<Extracted>

/** An extractor that does what the test says, one row at a time. */
const extractor = (extract: Extract): Extractor => ({
  ...passthroughExtractor,
  extractBatch: undefined,
  async *extract({ input, signal }) {
    assert.ok(input.kind === 'text')
    yield await extract(input.text, signal)
  },
})

const document = (text: string): Extracted => ({ fields: { text }, vectors: {} })

test('a row that fails leaves its neighbours alone', async () => {
  const run = extractor(async (text) => {
    if (text === 'bad') throw new RowError('validation', 'not readable')
    return document(text)
  })
  const [first, bad, last] = await runCalls(run, [call('a'), call('bad'), call('b')], options)
  assert.deepEqual(first, [document('a')])
  assert.ok(bad instanceof RowError)
  assert.equal(bad.type, 'validation')
  assert.deepEqual(last, [document('b')])
})

test('a transient failure is tried three times in all, a permanent one once', async () => {
  const runs = { network: 0, validation: 0 }
  const run = extractor(async (type) => {
    runs[type as keyof typeof runs]++
    throw new RowError(type as keyof typeof runs, 'no')
  })
  await runCalls(run, [call('network'), call('validation')], options)
  assert.deepEqual(runs, { network: 3, validation: 1 })
})

test('a transient failure that passes is no failure', async () => {
  let runs = 0
  const run = extractor(async (text) => {
    if (++runs < 3) throw new RowError('network', 'busy')
    return document(text)
  })
  assert.deepEqual(await runCalls(run, [call('a')], options), [[document('a')]])
})

test('a row over its time is failed for good, even if the extractor ignores its signal', async () => {
  let runs = 0
  const run = extractor(async () => {
    runs++
    await new Promise((resolve) => setTimeout(resolve, 200))
    return document('late')
  })
  const [result] = await runCalls(run, [call('a')], { ...options, row_timeout_ms: 20 })
  assert.ok(result instanceof RowError)
  assert.equal(result.type, 'resource')
  assert.equal(runs, 1)
})

test('a batch that fails as a whole is run row by row', async () => {
  const run: Extractor = {
    ...extractor(async (text) => {
      if (text === 'bad') throw new Error('crash')
      return document(text)
    }),
    extractBatch: async () => {
      throw new Error('crash')
    },
  }
  const [good, bad] = await runCalls(run, [call('a'), call('bad')], options)
  assert.deepEqual(good, [document('a')])
  assert.ok(bad instanceof RowError)
  assert.equal(bad.type, 'runtime')
})

test('canceling throws instead of failing rows', async () => {
  const controller = new AbortController()
  const run = extractor(async (text) => {
    controller.abort(new Error('canceled'))
    return document(text)
  })
  await assert.rejects(
    runCalls(run, [call('a'), call('b')], { ...options, signal: controller.signal }),
    /canceled/,
  )
})

test('a vector with a value that is no number fails its row', async () => {
  const run = extractor(async () => ({ fields: {}, vectors: { v: new Float32Array([0, Number.NaN]) } }))
  const [result] = await runCalls(run, [call('a')], options)
  assert.ok(result instanceof RowError)
})

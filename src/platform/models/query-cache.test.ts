import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeModels } from '../../../tests/support/fake-models.ts'
import { EmbeddingCache, withQueryCache } from './query-cache.ts'

async function cached(bytes_max = 1_000_000) {
  const models = fakeModels()
  const cache = new EmbeddingCache({ bytes_max })
  return { calls: models.calls, cache, model: withQueryCache(await models.embedding('text'), cache) }
}
const query = { purpose: 'query' } as const

test('a repeated query is computed once, beside new ones in the same call', async () => {
  const { model, calls } = await cached()
  const [red] = await model.embed([{ text: 'red' }], query)
  const [green, again] = await model.embed([{ text: 'green' }, { text: 'red' }], query)
  assert.deepEqual(calls, [[{ text: 'red' }], [{ text: 'green' }]])
  assert.deepEqual(again, red)
  assert.notDeepEqual(green, red)
})

test('a text and an image of the same bytes are not confused', async () => {
  const cache = new EmbeddingCache({ bytes_max: 1_000_000 })
  const models = fakeModels({ slots: ['text', 'image'] })
  const text = withQueryCache(await models.embedding('text'), cache)
  await text.embed([{ text: 'same' }], query)
  const image = withQueryCache(await models.embedding('image'), cache)
  await image.embed([{ image: Buffer.from('same') }], query)
  assert.equal(models.calls.length, 2)
})

test('documents go past the cache', async () => {
  const { model, calls, cache } = await cached()
  for (let i = 0; i < 2; i++) await model.embed([{ text: 'red' }], { purpose: 'document' })
  assert.equal(calls.length, 2)
  assert.equal(cache.size_bytes, 0)
})

test('what a caller does to its vector does not reach the next one', async () => {
  const { model } = await cached()
  const [first] = await model.embed([{ text: 'red' }], query)
  const kept = first!.slice()
  first!.fill(0)
  const [second] = await model.embed([{ text: 'red' }], query)
  second!.fill(1)
  assert.deepEqual((await model.embed([{ text: 'red' }], query))[0], kept)
})

test('the least recently used vector goes first, and the bound holds', async () => {
  const bytes_max = 3 * (8 * 4 + 300)
  const { model, calls, cache } = await cached(bytes_max)
  for (const text of ['a', 'b', 'c', 'a', 'd']) await model.embed([{ text }], query)
  assert.ok(cache.size_bytes <= bytes_max)
  calls.length = 0
  for (const text of ['a', 'd', 'c', 'b']) await model.embed([{ text }], query)
  assert.deepEqual(calls, [[{ text: 'b' }]])
})

test('an aborted signal is heard although the answer is cached', async () => {
  const { model } = await cached()
  await model.embed([{ text: 'red' }], query)
  const signal = AbortSignal.abort(new Error('stop'))
  await assert.rejects(model.embed([{ text: 'red' }], { ...query, signal }), /stop/)
})

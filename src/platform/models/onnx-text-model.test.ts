import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { tinyRow, writeTinyModel } from '../../../tests/support/tiny-text-model.ts'
import { l2Normalize } from '../../lib/l2-normalize.ts'
import { ModelDirectory } from './model-directory.ts'
import { OnnxTextModel } from './onnx-text-model.ts'
import { SHIPPED_MODELS_PATH } from './slots.ts'

const load = async (path: string) => {
  const model = await OnnxTextModel.load(ModelDirectory.open(path), { threads: 1 })
  after(() => model.close())
  return model
}
const texts = (...all: string[]) => all.map((text) => ({ text }))
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const near = (a: Float32Array | undefined, b: Float32Array) => assert.ok(dot(a!, b) > 0.999999, `${a} ${b}`)
const document = { purpose: 'document' } as const
const query = { purpose: 'query' } as const

/** The mean of the tiny network's rows for these token ids. */
const meanOf = (...ids: number[]) =>
  l2Normalize(Float32Array.from([0, 1, 2, 3], (i) => ids.reduce((sum, id) => sum + tinyRow(id)[i]!, 0)))

test('texts of different lengths share a batch without touching each other', async () => {
  const model = await load(writeTinyModel({ inputs: ['input_ids', 'attention_mask', 'token_type_ids'] }).path)
  const [one, three, none] = await model.embed(texts('red', 'green blues unknown', ''), document)
  near(one, meanOf(2, 4, 3))
  near(three, meanOf(2, 5, 6, 7, 1, 3))
  near(none, meanOf(2, 3))
})

test('networks with 32-bit inputs and cls pooling are served', async () => {
  const model = await load(writeTinyModel({ int32: true, settings: { pooling: 'cls' } }).path)
  const [vector] = await model.embed(texts('red'), document)
  near(vector, l2Normalize(Float32Array.from(tinyRow(2))))
})

test('queries and passages get their prefixes', async () => {
  const settings = { query_prefix: 'green ', passage_prefix: 'blue ' }
  const model = await load(writeTinyModel({ settings }).path)
  near((await model.embed(texts('red'), query))[0], meanOf(2, 5, 4, 3))
  near((await model.embed(texts('red'), document))[0], meanOf(2, 6, 4, 3))
})

test('a text over max_tokens is cut, and the model can tell', async () => {
  const model = await load(writeTinyModel().path)
  const six = 'red green blue red green blue'
  const [cut, whole] = await model.embed(texts(`${six} red`, six), document)
  assert.deepEqual(cut, whole)
  assert.equal(model.truncates(six), false)
  assert.equal(model.truncates(`${six} red`), true)
})

test('an image is refused by a text model', async () => {
  const model = await load(writeTinyModel().path)
  await assert.rejects(model.embed([{ image: new Uint8Array(8) }], query), { code: 'modality_not_supported' })
})

test('a network that does not fit its description is refused', async () => {
  await assert.rejects(load(writeTinyModel({ inputs: ['input_ids', 'pixels'] }).path), {
    code: 'model_damaged',
    message: /wants an input "pixels"/,
  })
  const { path } = writeTinyModel()
  writeFileSync(join(path, 'model.onnx'), 'not a network')
  await assert.rejects(load(path), { code: 'model_damaged' })
  const other = await load(writeTinyModel({ settings: { dims: 5 } }).path)
  await assert.rejects(other.embed(texts('red'), document), { code: 'model_damaged', message: /shape/ })
})

test('the shipped model knows that a cat is nearer to a kitten than to a car', async () => {
  const model = await load(join(SHIPPED_MODELS_PATH, 'all-minilm-l6-v2'))
  const [cat, kitten, car, feline, truck] = await model.embed(
    texts('cat', 'kitten', 'car', 'a small feline animal', 'a truck on the road'),
    document,
  )
  assert.ok(dot(cat!, kitten!) > dot(cat!, car!) + 0.2)
  assert.ok(dot(cat!, feline!) > dot(cat!, truck!) + 0.2)
})

test('the shipped model gives the vectors of the original one', async () => {
  const model = await load(join(SHIPPED_MODELS_PATH, 'all-minilm-l6-v2'))
  const reference: { texts: { text: string; vector: string }[] } = JSON.parse(
    readFileSync(new URL('../../../tests/support/minilm-reference.json', import.meta.url), 'utf8'),
  )
  for (const { text, vector } of reference.texts) {
    const bytes = Uint8Array.from(Buffer.from(vector, 'base64'))
    const [found] = await model.embed(texts(text), document)
    const cosine = dot(found!, new Float32Array(bytes.buffer))
    assert.ok(cosine > 0.98, `${text.slice(0, 40)}: ${cosine}`)
  }
})

test('a vector of the shipped model does not depend on the texts beside it', async () => {
  const model = await load(join(SHIPPED_MODELS_PATH, 'all-minilm-l6-v2'))
  const sentence = 'Salt was once worth its weight in gold.'
  const [alone] = await model.embed(texts(sentence), document)
  const company = await Promise.all([
    model.embed(texts('!', sentence, 'a much longer text '.repeat(60)), document),
    model.embed(texts(sentence), query),
  ])
  assert.deepEqual(company[0][1], alone)
  assert.deepEqual(company[1][0], alone)
})

test('an abort ends a long call between two texts', async () => {
  const model = await load(join(SHIPPED_MODELS_PATH, 'all-minilm-l6-v2'))
  const controller = new AbortController()
  const long = model.embed(Array(500).fill({ text: 'word '.repeat(300) }), {
    ...document,
    signal: controller.signal,
  })
  setTimeout(() => controller.abort(new Error('no longer wanted')), 100)
  const started = performance.now()
  await assert.rejects(long, /no longer wanted/)
  // All of it would take over ten seconds.
  assert.ok(performance.now() - started < 5000)
})

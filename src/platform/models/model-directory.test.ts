import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeTinyModel } from '../../../tests/support/tiny-text-model.ts'
import { ModelDirectory } from './model-directory.ts'
import { SHIPPED_MODELS_PATH } from './slots.ts'

const SHIPPED = join(SHIPPED_MODELS_PATH, 'all-minilm-l6-v2')

test('the shipped model is whole, as its digests say', async () => {
  const directory = ModelDirectory.open(SHIPPED)
  await directory.verify()
  assert.equal(directory.id, 'kura/all-minilm-l6-v2-int8')
  assert.match(directory.fingerprint, /^[0-9a-f]{64}$/)
})

test('the fingerprint changes with the network, the tokenizer and the settings, and with nothing else', () => {
  const fingerprint = (change: (path: string) => void, settings = {}) => {
    const { path } = writeTinyModel({ settings })
    change(path)
    const found = ModelDirectory.open(path).fingerprint
    rmSync(join(path, '..'), { recursive: true })
    return found
  }
  const unchanged = fingerprint(() => undefined)
  assert.equal(
    fingerprint((path) => writeFileSync(join(path, 'README.md'), 'hello')),
    unchanged,
  )
  assert.equal(
    fingerprint(() => undefined, { id: 'other/name', batch_max: 4 }),
    unchanged,
  )
  const others = [
    fingerprint((path) => appendFileSync(join(path, 'model.onnx'), '\0')),
    fingerprint((path) => appendFileSync(join(path, 'tokenizer.json'), ' ')),
    fingerprint((path) => writeFileSync(join(path, 'model.onnx_data'), 'weights')),
    fingerprint(() => undefined, { pooling: 'cls' }),
    fingerprint(() => undefined, { query_prefix: 'query: ' }),
    fingerprint(() => undefined, { max_tokens: 9 }),
  ]
  assert.equal(new Set([unchanged, ...others]).size, others.length + 1)
})

test('a file that differs from its digest is found', async () => {
  const { path } = writeTinyModel()
  const description = JSON.parse(readFileSync(join(path, 'model.json'), 'utf8'))
  description.sha256 = { 'model.onnx': '0'.repeat(64), 'tokenizer.json': '0'.repeat(64) }
  writeFileSync(join(path, 'model.json'), JSON.stringify(description))
  await assert.rejects(ModelDirectory.open(path).verify(), {
    code: 'model_damaged',
    message: /model\.onnx differs from its digest/,
  })
})

test('a folder without what is needed is refused with the reason', () => {
  const broken = (change: (path: string) => void, message: RegExp, settings = {}) => {
    const { path } = writeTinyModel({ settings })
    change(path)
    assert.throws(() => ModelDirectory.open(path), { code: 'model_damaged', message })
  }
  broken((path) => rmSync(join(path, 'model.json')), /model\.json is missing/)
  broken((path) => writeFileSync(join(path, 'model.json'), '{'), /model\.json is missing or is no JSON/)
  broken((path) => rmSync(join(path, 'tokenizer.json')), /tokenizer\.json is missing/)
  broken(() => undefined, /pooling in model\.json/, { pooling: 'median' })
  broken(() => undefined, /normalize in model\.json/, { normalize: false })
})

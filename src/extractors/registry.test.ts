import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtinExtractors } from './builtin.ts'
import { createRegistry } from './registry.ts'

const entry = (name: string, version: string) => ({ name, version })
const [text1, text2, text10, image] = [
  entry('text_extractor', 'v1'),
  entry('text_extractor', 'v2'),
  entry('text_extractor', 'v10'),
  entry('image_extractor', 'v1'),
] as const
const registry = createRegistry([text1, text10, text2, image])

test('an extractor is found by every spelling of name and version', () => {
  assert.equal(registry.find('text_extractor', 'v2'), text2)
  assert.equal(registry.find('text_extractor_v2'), text2)
  assert.equal(registry.find('text_extractor@v2'), text2)
  assert.equal(registry.find('image_extractor', null), image)
})

test('a bare name means the newest version, by number', () => {
  assert.equal(registry.find('text_extractor'), text10)
})

test('what is not registered is not found', () => {
  for (const name of ['', 'text', 'text_extractor_v3', 'text_extractor@', 'constructor'])
    assert.equal(registry.find(name), undefined, name)
  assert.equal(registry.find('text_extractor', 'v3'), undefined)
  assert.equal(registry.find('text_extractor_v1', 'v1'), undefined)
})

test('two extractors of one name and version cannot be registered', () => {
  assert.throws(() => createRegistry([text1, { ...text1 }]), /text_extractor_v1/)
})

test('names that guides mention lead to extractors that exist', () => {
  assert.deepEqual(registry.didYouMean('clip_vit_l_14'), ['image_extractor'])
  assert.deepEqual(registry.didYouMean('pdf_extractor@v1'), ['text_extractor'])
  assert.deepEqual(registry.didYouMean('face_detector'), [])
})

test('a slip of the pen leads to the name that was meant', () => {
  assert.deepEqual(registry.didYouMean('txet_extractor'), ['text_extractor'])
  assert.equal(registry.didYouMean('Image-Extractor')[0], 'image_extractor')
  assert.equal(registry.didYouMean('text')[0], 'text_extractor')
  assert.deepEqual(registry.didYouMean('x'.repeat(100_000)), [])
  assert.deepEqual(registry.didYouMean('constructor'), [])
})

test('the built-in extractors are registered under their catalogue ids', () => {
  for (const id of ['passthrough_extractor_v1', 'text_extractor_v1', 'image_extractor_v1'])
    assert.ok(builtinExtractors.find(id), id)
})

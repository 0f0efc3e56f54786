import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatFeatureUri, parseFeatureUri, resolveFeature } from './feature-uri.ts'

const feature = (
  extractor: string,
  output: string,
  aliases: string[],
  storage_name: string,
  service_id: string,
) => ({
  extractor,
  version: 'v1',
  feature_uri: formatFeatureUri(extractor, 'v1', output),
  output,
  aliases,
  storage_name,
  service_id,
})

const E5 = 'intfloat/multilingual-e5-large-instruct'
const text = feature(
  'text_extractor',
  'multilingual_e5_large_instruct_v1',
  ['embedding', 'text_embedding'],
  'text_extractor_v1_embedding',
  E5,
)
const visual = feature(
  'multimodal_extractor',
  'vertex_multimodal_embedding',
  ['embedding', 'video_embedding'],
  'multimodal_extractor_v1_multimodal_embedding',
  'google/multimodalembedding',
)
const transcript = feature(
  'multimodal_extractor',
  'multilingual_e5_large_instruct_v1',
  ['transcription_embedding'],
  'multimodal_extractor_v1_transcription_embedding',
  E5,
)

test('every documented spelling names the text feature', () => {
  for (const name of [
    'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1',
    'mixpeek://text_extractor@v1/embedding',
    'mixpeek://text_extractor@v1/text_embedding',
    'mixpeek://text_extractor@v1/text_extractor_v1_embedding',
    'mixpeek://text_extractor@v1',
    'mixpeek://text_extractor@v1/',
    'mixpeek://text_extractor',
    'text_extractor_v1_embedding',
    'features.text_extractor_v1_embedding',
    'text_extractor.v1.embedding',
    'text_extractor@v1/embedding',
    'text_extractor_v1',
    'text_extractor',
    'embedding',
    'multilingual_e5_large_instruct_v1',
    E5,
    'intfloat__multilingual_e5_large_instruct',
  ]) {
    assert.equal(resolveFeature(name, [text]), text, name)
  }
})

test('a URI without output means the primary vector', () => {
  assert.equal(resolveFeature('mixpeek://multimodal_extractor@v1', [visual, transcript]), visual)
  assert.equal(
    resolveFeature('mixpeek://multimodal_extractor@v1/transcription_embedding', [visual, transcript]),
    transcript,
  )
})

test('the same model output of another extractor is found, its generic alias is not', () => {
  const foreign = 'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1'
  assert.equal(resolveFeature(foreign, [visual, transcript]), transcript)
  assert.equal(
    resolveFeature('mixpeek://web_scraper@v1/intfloat__multilingual_e5_large_instruct', [visual, transcript]),
    transcript,
  )
  assert.equal(resolveFeature('mixpeek://text_extractor@v1/embedding', [visual, transcript]), undefined)
})

test('an unknown output is forgiven only where the extractor has one vector', () => {
  assert.equal(resolveFeature('mixpeek://text_extractor@v1/ada_002', [text]), text)
  assert.equal(resolveFeature('mixpeek://multimodal_extractor@v1/ada_002', [visual, transcript]), undefined)
  assert.equal(resolveFeature('mixpeek://text_extractor@v2/ada_002', [text]), undefined)
})

test('a keyword search output is no vector feature', () => {
  assert.equal(resolveFeature('mixpeek://text_extractor@v1/bm25_sparse', [text]), undefined)
})

test('text that names nothing resolves to nothing', () => {
  for (const name of ['', 'features.', 'mixpeek://', 'nonsense', 'mixpeek://face@v1/embedding', 'a b c'])
    assert.equal(resolveFeature(name, [text, visual]), undefined, name)
})

test('a URI is taken apart and put together', () => {
  assert.deepEqual(parseFeatureUri('mixpeek://text_extractor@v1/embedding'), {
    extractor: 'text_extractor',
    version: 'v1',
    output: 'embedding',
  })
  assert.equal(parseFeatureUri('https://text_extractor@v1/embedding'), null)
  assert.equal(formatFeatureUri('a', 'v1', 'b'), 'mixpeek://a@v1/b')
})

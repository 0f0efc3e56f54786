import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeModels } from '../../tests/support/fake-models.ts'
import { resolveFeature } from '../core/feature-uri.ts'
import type { JsonObject } from '../core/json.ts'
import { builtinExtractors } from './builtin.ts'
import { describeExtractor, featureDescriptor } from './catalogue.ts'

const describe = (name: string, models = fakeModels()) =>
  describeExtractor(builtinExtractors.find(name)!, models)

test('a catalogue entry has every member that clients require, and survives JSON', () => {
  for (const extractor of builtinExtractors.all) {
    const entry = describeExtractor(extractor, fakeModels())
    assert.deepEqual(JSON.parse(JSON.stringify(entry)), entry)
    for (const member of [
      'feature_extractor_name',
      'version',
      'feature_extractor_id',
      'description',
      'icon',
      'input_schema',
      'output_schema',
      'parameter_schema',
      'supported_input_types',
      'max_inputs',
      'default_parameters',
      'required_vector_indexes',
      'required_payload_indexes',
    ])
      assert.ok(member in entry, `${extractor.name} ${member}`)
    assert.equal(entry.feature_extractor_id, `${extractor.name}_v1`)
    assert.equal(entry.costs, null)
    for (const schema of [entry.input_schema, entry.output_schema, entry.parameter_schema])
      assert.equal(schema.type, 'object')
  }
})

test('the parameter schema is plain JSON Schema with ranges and defaults', () => {
  const { parameter_schema, default_parameters } = describe('text_extractor')
  const { chunk_size, split_by } = parameter_schema.properties as Record<string, JsonObject>
  assert.deepEqual(
    [chunk_size?.type, chunk_size?.minimum, chunk_size?.maximum, chunk_size?.default],
    ['integer', 1, 10_000, 1000],
  )
  assert.ok(Array.isArray(split_by?.enum))
  assert.deepEqual(default_parameters, {
    extractor_type: 'text_extractor',
    source_type: 'text',
    split_by: 'none',
    chunk_size: 1000,
    chunk_overlap: 0,
    segment_length_seconds: 120,
    language: 'en',
    extract_captions: true,
  })
})

test('a vector index names the bound model under the canonical URI', () => {
  const [definition] = describe('image_extractor').required_vector_indexes
  assert.equal(definition?.feature_uri, 'mixpeek://image_extractor@v1/google_siglip_base_v1')
  assert.equal(definition?.name, 'google_siglip_base_v1')
  assert.ok(definition!.description.length >= 10)
  assert.deepEqual(
    { ...definition?.index, description: '' },
    {
      name: 'image_extractor_v1_embedding',
      description: '',
      dimensions: 8,
      type: 'dense',
      distance: 'cosine',
      datatype: 'float32',
      supported_inputs: ['image', 'pdf'],
      inference_name: 'fake/image',
      inference_service_id: 'fake/image',
      purpose: 'image',
    },
  )
})

test('an extractor without model is listed as unavailable, with the slot it misses', () => {
  const { available, missing_providers, required_vector_indexes } = describe(
    'text_extractor',
    fakeModels({ slots: [] }),
  )
  assert.equal(available, false)
  assert.deepEqual(missing_providers, ['text'])
  assert.equal(required_vector_indexes[0]?.index.dimensions, null)
  assert.equal(describe('passthrough_extractor', fakeModels({ slots: [] })).available, true)
})

test('the passthrough extractor takes every type of a bucket schema', () => {
  const { supported_input_types, required_vector_indexes } = describe('passthrough_extractor')
  for (const type of ['string', 'text', 'image', 'video', 'object'])
    assert.ok(supported_input_types.includes(type), type)
  assert.deepEqual(required_vector_indexes, [])
})

test('the features of built-in extractors resolve by their documented names', () => {
  const names: Record<string, string[]> = {
    text_extractor: ['embedding', 'text_embedding', 'text_extractor_v1_embedding'],
    image_extractor: [
      'embedding',
      'image_embedding',
      'clip_embedding',
      'siglip_base_v1',
      'google/siglip-base-patch16-224',
    ],
  }
  for (const [name, spellings] of Object.entries(names)) {
    const extractor = builtinExtractors.find(name)!
    const features = extractor.vectors({}).map((output) => featureDescriptor(extractor, output))
    for (const spelling of spellings) assert.equal(resolveFeature(spelling, features), features[0], spelling)
  }
})

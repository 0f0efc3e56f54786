import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KuraError } from '../../core/errors.ts'
import { normalizeStage } from './normalize-stage.ts'

const canonical = {
  stage_name: 'search',
  stage_type: 'filter',
  config: {
    stage_id: 'feature_search',
    parameters: { searches: [{ feature_uri: 'x', query: 'q' }], final_top_k: 5 },
  },
}

test('the canonical form stays as it is', () => {
  assert.deepEqual(normalizeStage(canonical), canonical)
})

test('every spelling of clients and guides means the same stage', () => {
  const flat = { searches: [{ feature_uri: 'x', query: 'q' }], final_top_k: 5 }
  const spellings = [
    { stage_id: 'feature_search', parameters: flat, stage_name: 'search' },
    { type: 'feature_search', stage_name: 'search', ...flat },
    { name: 'search', type: 'feature_search', config: flat },
    { stage: 'semantic_search', parameters: flat, stage_name: 'search' },
    { stage_name: 'search', config: { stage_id: 'vector_search', parameters: flat } },
    {
      stage_name: 'search',
      stage_id: 'feature_search',
      parameters: { feature_uri: 'x', query: 'q', limit: 5 },
    },
  ]
  for (const spelling of spellings) {
    const { config } = normalizeStage(spelling)
    assert.equal(config.stage_id, 'feature_search', JSON.stringify(spelling))
    const [search] = config.parameters.searches as { feature_uri: string; query: string }[]
    assert.deepEqual([search?.feature_uri, search?.query], ['x', 'q'], JSON.stringify(spelling))
    assert.equal(config.parameters.final_top_k, 5, JSON.stringify(spelling))
  }
})

test('filters nested in the parameters are lifted beside them', () => {
  const { config } = normalizeStage({ stage_id: 'limit', parameters: { limit: 3, post_filters: { a: 1 } } })
  assert.deepEqual(config, { stage_id: 'limit', parameters: { limit: 3 }, post_filters: { a: 1 } })
})

test('the text "null" and placeholders of typed clients are absent', () => {
  const { config } = normalizeStage({
    stage_id: 'limit',
    parameters: { limit: 3, note: 'null', target: '{{COLLECTION_ID}}' },
  })
  assert.deepEqual(config.parameters, { limit: 3 })
})

test('an unknown explicit id is refused even where the name would fit', () => {
  const broken = { stage_name: 'limit', config: { stage_id: 'nothing', parameters: {} } }
  assert.throws(
    () => normalizeStage(broken),
    (error) => error instanceof KuraError && error.code === 'stage_not_found',
  )
})

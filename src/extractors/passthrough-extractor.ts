import Type from 'typebox'
import { Defaulted } from '../core/schema.ts'
import { defineExtractor } from './extractor.ts'

const NAME = 'passthrough_extractor'

const Parameters = Type.Object(
  { extractor_type: Defaulted(Type.Literal(NAME), NAME) },
  { additionalProperties: true },
)

/**
 * Copies the source into a document. It declares no inputs: it takes the record as it is, and gives
 * one document a row. Which fields and vectors are copied is `field_passthrough`'s affair.
 */
export const passthroughExtractor = defineExtractor({
  name: NAME,
  version: 'v1',
  description: 'Copies fields, files and vectors of the source unchanged, one document per row.',
  inputs: {},
  parameters: Parameters,
  output: () => ({}),
  vectors: () => [],
  position_fields: [],

  async *extract() {
    yield { fields: {}, vectors: {} }
  },

  extractBatch: async (contexts) => contexts.map(() => [{ fields: {}, vectors: {} }]),
})

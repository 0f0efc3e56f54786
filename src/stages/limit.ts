import Type from 'typebox'
import { Defaulted } from '../core/schema.ts'
import { defineStage } from './stage.ts'

export const limitStage = defineStage({
  id: 'limit',
  category: 'reduce',
  description: 'Keeps a slice of the results, in their order.',
  icon: 'list-end',
  parameters: Type.Object({
    limit: Defaulted(Type.Integer({ minimum: 1, maximum: 10_000 }), 10),
    offset: Defaulted(Type.Integer({ minimum: 0, maximum: 10_000 }), 0),
  }),

  async run({ candidates, parameters: { limit, offset } }) {
    return { candidates: (candidates ?? []).slice(offset, offset + limit) }
  },
})

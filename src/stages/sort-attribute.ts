import Type from 'typebox'
import { candidateField } from '../core/filters/document-fields.ts'
import { valuesAt } from '../core/filters/path.ts'
import { compareSortValues } from '../core/filters/sort.ts'
import { Defaulted } from '../core/schema.ts'
import { defineStage } from './stage.ts'

export const sortAttributeStage = defineStage({
  id: 'sort_attribute',
  category: 'sort',
  description: 'Orders the results by a field. The sort is stable, so several in a row are secondary keys.',
  icon: 'arrow-down-up',
  parameters: Type.Object({
    field: Defaulted(Type.String({ minLength: 1 }), 'metadata.created_at'),
    direction: Defaulted(Type.Enum(['asc', 'desc']), 'desc'),
    nulls_last: Defaulted(Type.Boolean(), true),
  }),
  normalize({ sort_field, null_handling, nulls, order, ...rest }) {
    const parameters: Record<string, unknown> = { ...rest }
    if (sort_field !== undefined) parameters.field ??= sort_field
    if (order !== undefined) parameters.direction ??= order
    const handling = null_handling ?? nulls
    if (typeof handling === 'string') parameters.nulls_last ??= !/first/i.test(handling)
    // The contract reads every nonsense direction as the default.
    if (typeof parameters.direction === 'string' && !parameters.direction.includes('{{'))
      parameters.direction = /^asc/i.test(parameters.direction) ? 'asc' : 'desc'
    return parameters
  },

  async run({ candidates, parameters: { field, direction, nulls_last }, tools }) {
    if (!candidates) return { candidates: [] }
    const places = candidateField(field)
    const fields = await tools.fields(candidates.map((one) => one.document_seq))
    const keyed = candidates.map((candidate) => {
      const document = { ...fields.get(candidate.document_seq), score: candidate.score }
      const [value] = places.map((place) => valuesAt(document, place)).find((found) => found.length > 0) ?? []
      return { candidate, value: value ?? null }
    })
    const sign = direction === 'asc' ? 1 : -1
    keyed.sort((a, b) => {
      if (a.value === null || b.value === null) {
        if (a.value === b.value) return 0
        // Without nulls_last a null is lower than everything.
        return nulls_last ? (a.value === null ? 1 : -1) : sign * (a.value === null ? -1 : 1)
      }
      return sign * compareSortValues(a.value, b.value)
    })
    return { candidates: keyed.map(({ candidate }) => candidate) }
  },
})

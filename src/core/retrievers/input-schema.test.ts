import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ValidationError } from '../errors.ts'
import { type InputSchema, resolveInputs, unwrapInputSchema } from './input-schema.ts'

const schema: InputSchema = {
  query: { type: 'text', required: true },
  limit: { type: 'integer', default: 10 },
  exact: { type: 'boolean' },
  kinds: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
  since: { type: 'date' },
  near: { type: 'document_reference' },
  picture: { type: 'image' },
}

const violations = (inputs: Record<string, unknown>) => {
  try {
    resolveInputs(schema, inputs)
  } catch (error) {
    assert.ok(error instanceof ValidationError)
    assert.equal(error.code, 'retriever_input_invalid')
    return error.violations.map(({ loc, type }) => [loc.slice(2).join('.'), type])
  }
  return []
}

test('defaults fill in, strings that parse completely are coerced, undeclared inputs are kept', () => {
  assert.deepEqual(
    resolveInputs(schema, { query: 5, exact: 'true', kinds: 'a', extra: { x: 1 }, near: 'doc_1' }),
    {
      query: '5',
      limit: 10,
      exact: true,
      kinds: ['a'],
      extra: { x: 1 },
      near: { collection_id: null, document_id: 'doc_1' },
    },
  )
})

test('null is absent', () => {
  assert.deepEqual(violations({ query: null }), [['query', 'missing']])
})

test('each bad field is one violation with its place', () => {
  assert.deepEqual(
    violations({ query: 'x', limit: '3.5', exact: 'maybe', kinds: ['c'], since: '2024-13-01', picture: 5 }),
    [
      ['limit', 'int_parsing'],
      ['exact', 'bool_parsing'],
      ['kinds.0', 'enum'],
      ['since', 'date_parsing'],
      ['picture', 'value_error'],
    ],
  )
})

test('a JSON Schema wrapper is unwrapped, with its list of required fields', () => {
  const wrapped = { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] }
  assert.deepEqual(unwrapInputSchema(wrapped), { query: { type: 'string', required: true } })
  const plain = { properties: { type: 'string' } }
  assert.deepEqual(unwrapInputSchema({ query: { type: 'string' } }), { query: { type: 'string' } })
  assert.ok(unwrapInputSchema(plain))
})

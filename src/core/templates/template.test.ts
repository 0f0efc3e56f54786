import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KuraError } from '../errors.ts'
import { renderFilter, renderParameters } from './render.ts'
import { ABSENT, renderTemplate, templateProblem } from './template.ts'

const context = {
  INPUT: { query: 'cats', limit: 5, tags: ['a', 'b'], empty: '', none: null, nested: { 'x-y': 7 } },
}

test('one whole expression keeps its type, embedded ones render as text', () => {
  assert.equal(renderTemplate('{{INPUT.limit}}', context), 5)
  assert.deepEqual(renderTemplate('{{ inputs.tags }}', context), ['a', 'b'])
  assert.equal(renderTemplate('about {{input.query}}', context), 'about cats')
  assert.equal(renderTemplate('no template {INPUT.query}', context), 'no template {INPUT.query}')
})

test('expressions, filters and loops work on the inputs', () => {
  assert.equal(renderTemplate("{{ INPUT.nested['x-y'] + 1 }}", context), 8)
  assert.equal(renderTemplate('{{ INPUT.tags[-1] }}', context), 'b')
  assert.equal(renderTemplate('{{ INPUT.query | upper }}', context), 'CATS')
  assert.equal(renderTemplate('{% for t in INPUT.tags %}<{{ t }}>{% endfor %}', context), '<a><b>')
})

test('what is not there is absent, and renders as nothing inside text', () => {
  assert.equal(renderTemplate('{{INPUT.missing}}', context), ABSENT)
  assert.equal(renderTemplate('{{INPUT.none}}', context), ABSENT)
  assert.equal(renderTemplate('[{{INPUT.missing}}]', context), '[]')
  assert.equal(renderTemplate('{{INPUT.constructor}}', context), ABSENT)
  assert.equal(renderTemplate('{{INPUT.__proto__.polluted}}', context), ABSENT)
})

test('a broken template is a template_error, never a crash', () => {
  for (const text of ['{{ INPUT.query', '{{ INPUT.query | nothing }}', '{% if %}', '{{ }}']) {
    assert.throws(
      () => renderTemplate(text, context),
      (error) => error instanceof KuraError && error.code === 'template_error',
      text,
    )
  }
  assert.ok(templateProblem('{% if %}'))
  assert.equal(templateProblem('{{ INPUT.a }}'), null)
})

test('an absent parameter leaves its place to the default', () => {
  assert.deepEqual(
    renderParameters({ a: '{{INPUT.missing}}', b: ['{{INPUT.limit}}', '{{INPUT.missing}}'] }, context),
    { b: [5] },
  )
})

test('a condition on an absent, empty or blank input disappears, and empty groups with it', () => {
  const condition = (value: unknown) => ({ field: 'x', operator: 'eq', value })
  assert.equal(renderFilter({ AND: [condition('{{INPUT.missing}}')] }, context), undefined)
  assert.equal(renderFilter(condition('{{INPUT.empty}}'), context), undefined)
  assert.deepEqual(
    renderFilter({ AND: [condition('{{INPUT.missing}}'), condition('{{INPUT.limit}}')] }, context),
    {
      AND: [condition(5)],
    },
  )
  assert.deepEqual(renderFilter({ x: '{{INPUT.missing}}', y: 1 }, context), { y: 1 })
  assert.deepEqual(
    renderFilter(condition({ type: 'dynamic', field: 'inputs.query' }), context),
    condition('cats'),
  )
  assert.deepEqual(
    renderFilter(condition(''), context),
    condition(''),
    'a literal empty value is a condition',
  )
})

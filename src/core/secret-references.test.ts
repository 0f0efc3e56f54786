import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillSecrets, namesSecret, secretNames } from './secret-references.ts'

const fill = (value: unknown) => fillSecrets(value, (name) => `<${name}>`)

test('every spelling of a reference is filled, wherever it stands', () => {
  assert.equal(fill('{{secrets.api-key.v1}}'), '<api-key.v1>')
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the spelling of the contract.
  assert.equal(fill('Bearer {{ SECRET.TOKEN }} and ${{ secrets.b }}!'), 'Bearer <TOKEN> and <b>!')
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the spelling of the contract.
  assert.equal(fill('${vault:x_1}'), '<x_1>')
  assert.deepEqual(
    fill({ a: [{ b: '{{-secrets.x-}}' }], auth: { type: 'bearer', secret_ref: 'y' }, n: 1, z: null }),
    {
      a: [{ b: '<x>' }],
      auth: { type: 'bearer', secret_ref: '<y>' },
      n: 1,
      z: null,
    },
  )
})

test('what only looks like a reference stays as it is', () => {
  for (const text of [
    '{{ inputs.secrets }}',
    '{{secretsx.a}}',
    '{secrets.a}',
    'secrets.a',
    '{{secrets.}}',
    '{{secrets.a b}}',
  ]) {
    assert.equal(fill(text), text)
    assert.equal(namesSecret(text), false, text)
  }
})

test('a secret with characters that mean something to a replacement arrives unchanged, and is not filled again', () => {
  const secret = "$& $1 $' {{secrets.other}}"
  assert.equal(
    fillSecrets('a {{secrets.x}} b', () => secret),
    `a ${secret} b`,
  )
})

test('the names that a value needs are found once each', () => {
  assert.deepEqual(secretNames(['{{secrets.a}} {{secrets.a}}', { secret_ref: 'b' }, '{{SECRETS.c}}']), [
    'a',
    'b',
    'c',
  ])
})

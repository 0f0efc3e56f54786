import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBody } from './body.ts'

const refusal = (text: string): string => {
  try {
    parseBody(text)
  } catch (error) {
    return (error as { violations: { type: string }[] }).violations[0]!.type
  }
  return assert.fail(`accepted: ${text}`)
}

test('an empty body is no body, and null is null', () => {
  assert.equal(parseBody(''), undefined)
  assert.equal(parseBody(' \n'), undefined)
  assert.equal(parseBody('null'), null)
})

test('what one of the databases could not store is refused, wherever it stands', () => {
  for (const text of ['{"a":["\\u0000"]}', '{"\\u0000":1}', '["\\ud800"]', '{"a":{"__proto__":1}}'])
    assert.equal(refusal(text), 'value_error', text)
  assert.deepEqual(parseBody('["\\ud83d\\ude00", "__proto__", "u0000"]'), ['😀', '__proto__', 'u0000'])
})

test('numbers that would come back as others are refused', () => {
  for (const text of ['1e400', '{"a":[-1e999]}']) assert.equal(refusal(text), 'finite_number', text)
  for (const text of ['9007199254740993', '{"id":-12345678901234567890}', '[1,{"a":[99999999999999999]}]'])
    assert.equal(refusal(text), 'int_parsing_size', text)
})

test('numbers that are kept, long decimals and long digits in strings are taken', () => {
  for (const text of [
    '9007199254740992',
    '[0.12345678901234567, 3.1415926535897932384, 1e21, 1234567890123456.5, 12345678901234567e3]',
    '{"a":"12345678901234567890"}',
    '{"12345678901234567890":1}',
    '10000000000000000000',
  ])
    assert.deepEqual(parseBody(text), JSON.parse(text), text)
})

test('depth is bounded, without a bound of its own on the check', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
  assert.ok(parseBody(nested(64)))
  assert.equal(refusal(nested(66)), 'value_error')
  assert.equal(refusal(nested(5000)), 'value_error')
})

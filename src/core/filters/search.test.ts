import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { matchesSearch, parseSearch, stringLeaves } from './search.ts'

const finds = (phrase: string, value: string, case_sensitive = false) => {
  const pattern = parseSearch(phrase, { case_sensitive })
  assert.ok(pattern)
  return matchesSearch(pattern, value)
}

test('blank text is no search', () => {
  for (const text of [null, undefined, '', ' \t\n']) assert.equal(parseSearch(text), null)
})

test('a phrase is one trimmed substring, not words', () => {
  assert.ok(finds('  cat ', 'concatenate'))
  assert.ok(finds('big cat', 'a big cat'))
  assert.ok(!finds('big cat', 'cat, big'))
})

test('wildcards make it a glob over the whole value', () => {
  assert.ok(finds('cat*', 'catalog'))
  assert.ok(!finds('cat*', 'a catalog'))
  assert.ok(finds('*log', 'catalog'))
  assert.ok(finds('c?t', 'cat'))
  assert.ok(!finds('c?t', 'cats'))
  assert.ok(finds('?', '😀'))
  assert.ok(finds('a*b*c', 'a-b-b-c'))
  assert.ok(!finds('a*a', 'a'))
  assert.ok(finds('*', ''))
})

test('escaped wildcards and SQL wildcards are literal', () => {
  assert.ok(finds('\\*', 'a*b'))
  assert.ok(!finds('\\*', 'ab'))
  assert.ok(finds('\\?', 'a?'))
  assert.ok(finds('\\\\', 'a\\b'))
  assert.ok(finds('\\n', 'a\\n'))
  for (const literal of ['%', '_', '.', '[']) {
    assert.ok(finds(literal, `x${literal}y`))
    assert.ok(!finds(literal, 'xy'))
  }
})

test('case is folded unless it counts', () => {
  assert.ok(finds('É', 'école'))
  assert.ok(!finds('É', 'ecole'))
  assert.ok(!finds('É', 'école', true))
  assert.ok(finds('É*', 'école'))
  assert.ok(finds('e\u0301*', 'ÉCOLE'))
})

test('a glob agrees with the regular expression it abbreviates', () => {
  const phrase = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 8 })
  const value = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 })
  fc.assert(
    fc.property(phrase, value, (glob, text) => {
      fc.pre(/[*?]/.test(glob))
      const regex = new RegExp(`^${glob.replaceAll('*', '.*').replaceAll('?', '.')}$`)
      assert.equal(finds(glob, text), regex.test(text))
    }),
    { numRuns: 2000 },
  )
})

test('string leaves are found at any depth, keys are not', () => {
  assert.deepEqual([...stringLeaves({ a: 'x', b: [{ c: 'y' }, 'z'], d: 5 })], ['x', 'y', 'z'])
})

test('a phrase of any length is read', () => {
  assert.ok(finds('x'.repeat(300_000), 'X'.repeat(300_000)))
  assert.ok(finds(`${'x'.repeat(300_000)}*`, `${'x'.repeat(300_000)}y`))
})

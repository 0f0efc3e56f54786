import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { compareCodePoints, foldCase } from './fold.ts'

test('folding ignores case and composition, but keeps accents', () => {
  assert.equal(foldCase('ÉCLAIR'), foldCase('éclair'))
  assert.equal(foldCase('E\u0301clair'), foldCase('éclair'))
  assert.notEqual(foldCase('é'), foldCase('e'))
})

test('folding is simple: it never makes one character two', () => {
  assert.equal(foldCase('Straße'), 'straße')
  assert.notEqual(foldCase('STRASSE'), foldCase('Straße'))
  assert.equal(foldCase('ẞ'), 'ß')
  assert.equal(foldCase('İ'), 'İ')
})

test('folding joins the forms of sigma, long s and the Kelvin sign', () => {
  assert.equal(foldCase('ΣΑΣ'), foldCase('σας'))
  assert.equal(foldCase('ſ'), 's')
  assert.equal(foldCase('\u212A'), 'k')
})

test('folding agrees with the simple folding of the regular expression engine', () => {
  const character = fc
    .integer({ min: 0x80, max: 0x1ffff })
    .filter((point) => point < 0xd800 || point > 0xdfff)
  fc.assert(
    fc.property(character, (point) => {
      const text = String.fromCodePoint(point)
      if (text.normalize('NFC') !== text) return
      const folded = foldCase(text)
      assert.match(folded, new RegExp(`^\\u{${point.toString(16)}}$`, 'iu'))
      const upper = text.toUpperCase()
      if ([...upper].length === 1 && new RegExp(`^${text}$`, 'iu').test(upper))
        assert.equal(foldCase(upper), folded)
    }),
    { numRuns: 3000 },
  )
})

test('strings compare by code point, also beyond the basic plane', () => {
  assert.ok(compareCodePoints('\uFFFD', '😀') < 0)
  assert.ok(compareCodePoints('a', 'b') < 0)
  assert.ok(compareCodePoints('ab', 'a') > 0)
  assert.equal(compareCodePoints('a', 'a'), 0)
  const bytes = (text: string) => Buffer.from(text, 'utf8')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      assert.equal(Math.sign(compareCodePoints(a, b)), Math.sign(Buffer.compare(bytes(a), bytes(b))))
    }),
  )
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HASHED_TEXT_DIMENSIONS, hashText } from './hashed-text.ts'

const cosine = (a: string, b: string) => {
  const [x, y] = [hashText(a), hashText(b)]
  return x.reduce((sum, value, i) => sum + value * y[i]!, 0)
}

test('any text gives one finite vector of length 1, the same every time', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const vector = hashText(text)
      assert.equal(vector.length, HASHED_TEXT_DIMENSIONS)
      assert.ok(Math.abs(vector.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5)
      assert.deepEqual(hashText(text), vector)
    }),
  )
  assert.equal(hashText('').length, HASHED_TEXT_DIMENSIONS)
})

test('texts are alike by the words they share, then by parts of words, and else not', () => {
  const query = 'leather hiking boots'
  const shared = cosine(query, 'boots for hiking, made of leather')
  const parts = cosine(query, 'a hiker and his booted leathery feet')
  const nothing = cosine(query, 'quantum field theory')
  assert.ok(shared > 0.6, `${shared}`)
  assert.ok(shared > parts && parts > nothing + 0.1, `${shared} ${parts} ${nothing}`)
  assert.ok(Math.abs(nothing) < 0.1, `${nothing}`)
})

test('case, accents and compatibility forms make no difference', () => {
  assert.ok(cosine('Café ﬁne ＡＢＣ', 'cafe FINE abc') > 0.999)
})

test('vowels of other scripts are no accents', () => {
  assert.ok(cosine('किताब', 'कतब') < 0.9)
})

test('text without spaces matches by pairs of letters', () => {
  assert.ok(cosine('東京都の天気', '明日の東京都') > 0.3)
  assert.ok(cosine('東京都の天気', '数学入門') < 0.2)
})

test('a repeated word counts more, but less than in proportion', () => {
  const once = cosine('apple banana', 'apple')
  const often = cosine('apple apple apple apple banana', 'apple')
  assert.ok(once < often && often < 0.99, `${once} ${often}`)
})

test('a text of signs alone has a direction of its own', () => {
  assert.ok(Math.abs(cosine('!!!', '???')) < 0.999)
  assert.ok(cosine('!!!', ' !!! ') > 0.999)
})

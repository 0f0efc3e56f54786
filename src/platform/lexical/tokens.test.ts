import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { queryTokens, tokens } from './tokens.ts'

const cases: [string, string, string[]][] = [
  ['case and punctuation do not matter', 'Hello, WORLD-wide!', ['hello', 'world', 'wide']],
  ['English endings are removed', 'running flows of aerodynamics', ['run', 'flow', 'of', 'aerodynam']],
  ['accents do not matter', 'Café Zürich naïve', ['cafe', 'zurich', 'naiv']],
  ['compatibility forms are plain letters', 'ﬁle Ａ１', ['file', 'a1']],
  ['numbers are words', 'mach 2.5 b52', ['mach', '2', '5', 'b52']],
  ['text without spaces gives pairs', '東京都 ひらがな', ['東京', '京都', 'ひら', 'らが', 'がな']],
  ['a lone character stays', '犬 dog', ['犬', 'dog']],
  ['mixed scripts are told apart', 'iPhone用ケース', ['iphon', '用ケ', 'ケー', 'ース']],
  ['Korean words are spaced', '서울 날씨', ['서울', '날씨']],
  ['vowel signs belong to their word', 'हिन्दी भाषा', ['हिन्दी', 'भाषा']],
  ['symbols are no words', '"*" AND (): ^~ 🙂', ['and']],
]
for (const [title, text, expected] of cases)
  test(title, () => {
    assert.deepEqual(tokens(text), expected)
  })

test('any text gives short words, and the same ones in upper case where case exists', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      for (const word of tokens(text)) assert.ok(word.length > 0 && word.length <= 64, word)
    }),
  )
  assert.equal(tokens('a'.repeat(1000))[0]!.length, 64)
})

test('a query is about its telling words', () => {
  assert.deepEqual(queryTokens('How does the Moon move the sea?'), ['moon', 'move', 'sea'])
})

test('a query of nothing but grammar keeps its words', () => {
  assert.deepEqual(queryTokens('to be or not to be'), tokens('to be or not to be'))
})

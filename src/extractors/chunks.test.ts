import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ChunkRule, joinPages, type SplitBy, splitText } from './chunks.ts'

const rule = (split_by: SplitBy, chunk_size: number, chunk_overlap = 0): ChunkRule => ({
  split_by,
  chunk_size,
  chunk_overlap,
})

const unit = fc.constantFrom(
  'a',
  'B',
  '7',
  '.',
  '! ',
  '? ',
  ' ',
  '\n',
  '\n\n',
  '\r\n',
  '\f',
  'é',
  '👩‍🚀',
  'ß',
  'ح',
  '。',
)
const anyText = fc.array(unit, { maxLength: 120 }).map((parts) => parts.join(''))
const anyRule = fc
  .record({
    split_by: fc.constantFrom<SplitBy>('characters', 'words', 'sentences', 'paragraphs', 'pages'),
    chunk_size: fc.integer({ min: 1, max: 12 }),
    overlap: fc.integer({ min: 0, max: 11 }),
  })
  .map(({ split_by, chunk_size, overlap }) => rule(split_by, chunk_size, Math.min(overlap, chunk_size - 1)))

test('chunks are trimmed slices of the text and never empty', () => {
  fc.assert(
    fc.property(anyText, anyRule, (text, chosen) => {
      for (const chunk of splitText(text, chosen)) {
        assert.equal(chunk, chunk.trim())
        assert.notEqual(chunk, '')
        assert.ok(text.includes(chunk))
      }
    }),
    { numRuns: 500 },
  )
})

test('chunks without overlap hold every visible character once, in order', () => {
  const visible = (text: string) => text.replace(/\s/g, '')
  fc.assert(
    fc.property(anyText, anyRule, fc.boolean(), (text, chosen, hard_wrapped) => {
      const chunks = splitText(text, { ...chosen, chunk_overlap: 0 }, hard_wrapped)
      assert.equal(visible(chunks.join('')), visible(text))
    }),
    { numRuns: 500 },
  )
})

test('no chunk cuts a character in two', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), anyRule, (text, chosen) => {
      for (const chunk of splitText(text.toWellFormed(), chosen)) assert.ok(chunk.isWellFormed())
    }),
  )
})

test('chunks of words hold chunk_size words, repeat chunk_overlap of them, and only the last is shorter', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(8),
      (count, chunk_size, wanted) => {
        const overlap = Math.min(wanted, chunk_size - 1)
        const words = Array.from({ length: count }, (_, i) => `w${i}`)
        const chunks = splitText(words.join(' \n'), rule('words', chunk_size, overlap)).map((chunk) =>
          chunk.split(/\s+/),
        )
        const step = chunk_size - overlap
        assert.equal(chunks.length, count === 0 ? 0 : 1 + Math.max(0, Math.ceil((count - chunk_size) / step)))
        for (const [i, chunk] of chunks.entries())
          assert.deepEqual(chunk, words.slice(i * step, i * step + chunk_size))
      },
    ),
  )
})

test('a tail that would hold overlap only is dropped', () => {
  assert.deepEqual(splitText('a b c d', rule('words', 3, 2)), ['a b c', 'b c d'])
  assert.deepEqual(splitText('a b c d e', rule('words', 3, 1)), ['a b c', 'c d e'])
})

test('characters are code points', () => {
  assert.deepEqual(splitText('a👍b👍c', rule('characters', 2)), ['a👍', 'b👍', 'c'])
  assert.deepEqual(splitText('abcd', rule('characters', 3, 2)), ['abc', 'bcd'])
})

test('sentences end where Unicode says, in any script', () => {
  assert.deepEqual(splitText('Mr. Fox ran 3.5 miles. He slept! Why? ', rule('sentences', 1)), [
    'Mr.',
    'Fox ran 3.5 miles.',
    'He slept!',
    'Why?',
  ])
  assert.deepEqual(splitText('你好。再见。', rule('sentences', 1)), ['你好。', '再见。'])
  assert.deepEqual(splitText('One. Two. Three.', rule('sentences', 2, 1)), ['One. Two.', 'Two. Three.'])
})

test('in hard-wrapped text a line end ends no sentence, a blank line does', () => {
  const text = 'The fox\njumped over\r\nthe dog. It\nslept\n\nThe end'
  assert.deepEqual(splitText(text, rule('sentences', 1), true), [
    'The fox\njumped over\r\nthe dog.',
    'It\nslept',
    'The end',
  ])
})

test('paragraphs are apart by blank lines, pages by form feeds', () => {
  assert.deepEqual(splitText('a\nb\n\n \n c\r\n\r\nd\n\n', rule('paragraphs', 1)), ['a\nb', 'c', 'd'])
  assert.deepEqual(splitText('one\f\f two \f', rule('pages', 1)), ['one', 'two'])
})

test('text that is not split is kept as it is, blank text gives nothing', () => {
  assert.deepEqual(splitText(' whole\n', rule('none', 1000)), [' whole\n'])
  assert.deepEqual(splitText(' \n', rule('none', 1000)), [])
  assert.deepEqual(splitText(' \n', rule('characters', 1)), [])
})

test('pages of a file become one text that fits the unit', () => {
  const pages = ['One page', '', 'goes on.']
  assert.equal(joinPages(pages, rule('pages', 1)), 'One page\f\fgoes on.')
  assert.equal(joinPages(pages, rule('sentences', 1)), 'One page\ngoes on.')
  assert.equal(joinPages(pages, rule('none', 1)), 'One page\n\ngoes on.')
})

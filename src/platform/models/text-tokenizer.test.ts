import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { SHIPPED_MODELS_PATH } from './slots.ts'
import { TextTokenizer } from './text-tokenizer.ts'

const load = (max_tokens: number) =>
  TextTokenizer.load(join(SHIPPED_MODELS_PATH, 'all-minilm-l6-v2'), { max_tokens })

test('text becomes the token ids of the original tokenizer', async () => {
  const tokenizer = await load(256)
  // As Hugging Face's own tokenizers gives them.
  assert.deepEqual(
    tokenizer.encode("Hello, world! Ünïcödé naïve café 日本語 don't").ids,
    [101, 7592, 1010, 2088, 999, 27260, 15743, 7668, 1864, 1876, 1950, 2123, 1005, 1056, 102],
  )
  assert.deepEqual(tokenizer.encode('').ids, [101, 102])
  assert.equal(tokenizer.padId, 0)
})

test('a text over the limit is cut to it, keeps its end mark, and says so', async () => {
  const tokenizer = await load(10)
  const fits = tokenizer.encode('one two three four five six seven eight')
  assert.equal(fits.ids.length, 10)
  assert.equal(fits.truncated, false)
  const cut = tokenizer.encode('one two three four five six seven eight nine')
  assert.deepEqual(cut, { ids: fits.ids, truncated: true })
})

test('cutting before tokenizing gives the same tokens as cutting after', async () => {
  const [limited, whole] = [await load(32), await load(100_000)]
  const texts = [
    'incomprehensibilities '.repeat(400),
    `${'antidisestablishmentarianism'.repeat(3)} `.repeat(100),
    `${' '.repeat(60)}word `.repeat(500),
    `${'x'.repeat(150)} y `.repeat(300),
    '日本語のテキスト'.repeat(500),
  ]
  for (const text of texts) {
    const expected = whole.encode(text).ids
    const { ids, truncated } = limited.encode(text)
    assert.equal(truncated, true)
    assert.deepEqual(ids, [...expected.slice(0, 31), expected.at(-1)])
  }
})

test('a megabyte without a space is not tokenized to its end', async () => {
  const tokenizer = await load(256)
  const { ids, truncated } = tokenizer.encode('x'.repeat(1_000_000))
  assert.deepEqual(ids, [101, 100, 102])
  assert.equal(truncated, true)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MediaError } from './media-error.ts'
import { decodeText } from './text.ts'

test('text in UTF-8 and UTF-16 comes back as it was', () => {
  const noNul = fc
    .string({ unit: 'grapheme' })
    .filter((text) => !text.includes('\0') && !text.startsWith('\ufeff'))
  fc.assert(
    fc.property(noNul, (text) => {
      assert.equal(decodeText(Buffer.from(text)), text)
      assert.equal(decodeText(Buffer.from(`\ufeff${text}`)), text)
      assert.equal(decodeText(Buffer.from(`\ufeff${text}`, 'utf16le')), text)
      assert.equal(decodeText(Buffer.from(`\ufeff${text}`, 'utf16le').swap16()), text)
    }),
  )
})

test('UTF-16 without a byte order mark is recognized by its zero bytes', () => {
  assert.equal(decodeText(Buffer.from('plain words', 'utf16le')), 'plain words')
  assert.equal(decodeText(Buffer.from('plain words', 'utf16le').swap16()), 'plain words')
})

test('bytes that are no UTF-8 are read as Windows-1252, or as the charset that the file names', () => {
  assert.equal(decodeText(Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x20, 0x80])), 'café €')
  assert.equal(decodeText(Buffer.from([0xcf, 0xf0]), 'windows-1251'), 'Пр')
  assert.equal(decodeText(Buffer.from([0xe9]), 'no-such-charset'), 'é')
  assert.equal(decodeText(Buffer.from('é'), 'windows-1251'), 'é', 'valid UTF-8 beats a wrong label')
})

test('a stray NUL is dropped, binary data is refused', () => {
  assert.equal(decodeText(Buffer.from(`a\0b${'c'.repeat(200)}`)), `ab${'c'.repeat(200)}`)
  assert.throws(
    () => decodeText(Buffer.from([0, 1, 0, 2, 3, 0, 0, 4, 5])),
    (error) => error instanceof MediaError && error.reason === 'damaged',
  )
})

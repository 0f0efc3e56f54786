import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeDocx, makeGif, makeJpeg, makePdf, makePng, makeZip } from '../../../tests/support/media.ts'
import { testData, withoutTestData } from '../../../tests/support/test-data.ts'
import { fitsBlobType, mimeOfFilename, normalizeMime, SNIFF_BYTES, sniffMime } from './mime.ts'

const bytes = (text: string) => Buffer.from(text)
const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'

test('what the bytes show beats what was declared and what the name says', async () => {
  assert.equal(await sniffMime(await makePng(4, 4), 'image/jpeg', 'x.gif'), 'image/png')
  assert.equal(await sniffMime(await makeJpeg(4, 4), 'text/plain', 'x.txt'), 'image/jpeg')
  assert.equal(await sniffMime(await makeGif(2), 'video/mp4'), 'image/gif')
  assert.equal(await sniffMime(await makePdf(['a']), 'application/octet-stream'), 'application/pdf')
  assert.equal(await sniffMime(bytes('only words'), 'image/png', 'photo.png'), 'text/plain')
})

test('what was declared beats the name, and the name counts when nothing else is known', async () => {
  const unknown = Uint8Array.from([1, 2, 3, 0, 9])
  assert.equal(await sniffMime(unknown, 'video/x-msvideo', 'x.mp3'), 'video/x-msvideo')
  assert.equal(await sniffMime(unknown, null, 'x.mp3'), 'audio/mpeg')
  assert.equal(await sniffMime(unknown), 'application/octet-stream')
  assert.equal(await sniffMime(new Uint8Array(), 'Text/HTML; charset=utf-8'), 'text/html')
})

test('a type that always has a signature is not believed without it', async () => {
  const noise = Uint8Array.from([1, 2, 3, 0, 9])
  assert.equal(await sniffMime(noise, 'image/png', 'photo.jpg'), 'application/octet-stream')
  assert.equal(await sniffMime(noise, 'application/pdf'), 'application/octet-stream')
})

test('text is told apart by content, then by what was declared, then by name', async () => {
  assert.equal(await sniffMime(bytes('  <!-- a --><!DOCTYPE html><p>x'), 'text/plain'), 'text/html')
  assert.equal(await sniffMime(bytes('{"a":1}')), 'application/json')
  assert.equal(await sniffMime(bytes('{"a":1}\n{"a":2}'), null, 'rows.jsonl'), 'application/x-ndjson')
  assert.equal(await sniffMime(bytes('id,name\n1,a\n2,"b,c"\n')), 'text/csv')
  assert.equal(await sniffMime(bytes('Hello, you\nand, me\nor, us')), 'text/plain')
  assert.equal(await sniffMime(bytes('# Title\n'), 'text/x-markdown'), 'text/markdown')
  assert.equal(await sniffMime(bytes('a: 1'), 'text/plain', 'x.yaml'), 'application/yaml')
  assert.equal(await sniffMime(bytes('<?xml version="1.0"?><a/>'), 'text/xml'), 'application/xml')
  assert.equal(await sniffMime(bytes('<?xml version="1.0"?><svg xmlns="s"/>')), 'image/svg+xml')
  assert.equal(await sniffMime(Buffer.from('\ufeffhello', 'utf16le')), 'text/plain')
})

test('comments before the markup cannot make the check slow', async () => {
  const started = performance.now()
  assert.equal(await sniffMime(bytes('<!-- -->'.repeat(8000))), 'text/plain')
  assert.ok(performance.now() - started < 1000)
})

test('archives and containers that several types share are told apart', async () => {
  const docx = makeDocx(['x'])
  assert.equal(await sniffMime(docx.subarray(0, SNIFF_BYTES)), DOCX)
  const zip = makeZip([{ name: 'a.txt', data: 'a' }])
  assert.equal(await sniffMime(zip), 'application/zip')
  assert.equal(await sniffMime(zip, null, 'report.docx'), DOCX)
  assert.equal(await sniffMime(zip, 'image/png', 'a.png'), 'application/zip')
})

test('a PDF may have a preamble', async () => {
  assert.equal(await sniffMime(Buffer.concat([bytes('\0junk\r\n'), await makePdf(['a'])])), 'application/pdf')
})

test('video containers that hold only sound go by what was declared', { skip: withoutTestData }, async () => {
  const head = testData('video/car-detection.mp4').subarray(0, SNIFF_BYTES)
  assert.equal(await sniffMime(head), 'video/mp4')
  assert.equal(await sniffMime(head, 'audio/mp4'), 'audio/mp4')
  assert.equal(await sniffMime(head, null, 'song.m4a'), 'audio/mp4')
  assert.equal(await sniffMime(testData('audio/jfk.wav').subarray(0, SNIFF_BYTES)), 'audio/wav')
})

test('each schema type takes the files of the contract', () => {
  const fits: Record<string, string[]> = {
    image: ['image/png', 'image/gif', 'image/svg+xml', 'image/heic'],
    video: ['video/mp4', 'image/gif'],
    audio: ['audio/wav', 'audio/mpeg'],
    pdf: ['application/pdf'],
    excel: [
      'text/csv',
      'application/vnd.ms-excel',
      'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    ],
    text: [
      'text/plain',
      'text/csv',
      'text/html',
      'application/json; charset=utf-8',
      'application/xml',
      'application/ld+json',
      DOCX,
    ],
  }
  const mimes = [...new Set(Object.values(fits).flat())]
  for (const [type, expected] of Object.entries(fits))
    assert.deepEqual(
      mimes.filter((mime) => fitsBlobType(mime, type)),
      mimes.filter((mime) => expected.includes(mime)),
      type,
    )
  assert.equal(fitsBlobType('text/plain', 'string'), false)
  assert.equal(fitsBlobType('nonsense', 'text'), false)
})

test('spellings of one type are one type', () => {
  assert.equal(normalizeMime(' IMAGE/JPG ; q=1'), 'image/jpeg')
  assert.equal(normalizeMime('nonsense'), null)
  assert.equal(normalizeMime(undefined), null)
  assert.equal(mimeOfFilename('Photo.JPEG'), 'image/jpeg')
  assert.equal(mimeOfFilename('constructor'), null)
  assert.equal(mimeOfFilename('a.constructor'), null)
  assert.equal(mimeOfFilename('x.constructor'), null)
})

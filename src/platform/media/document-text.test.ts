import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeDocx, makePng, makeZip } from '../../../tests/support/media.ts'
import { documentText } from './document-text.ts'
import { MediaError } from './media-error.ts'
import { DOCX } from './mime-types.ts'
import { readZipDirectory } from './zip.ts'

const MIB = 1024 * 1024
const read = async (bytes: Uint8Array, mime: string) => (await documentText(bytes, mime)).pages.join('\f')
const refused = (reason: string, pattern: RegExp) => (error: unknown) =>
  error instanceof MediaError && error.reason === reason && pattern.test(error.message)

test('HTML becomes what a reader sees', async () => {
  const html = `<!doctype html><html><head><meta charset="windows-1252"><title>T</title><style>p{}</style>
    <script>var hidden = 1 < 2</script></head><body><nav><a href="/">Home</a></nav><h1>Caf\u00e9</h1>
    <p>One <a href="http://example.com">link</a> &amp; more.</p><img src="x" alt="picture">
    <table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table></body></html>`
  assert.equal(
    await read(Buffer.from(html, 'latin1'), 'text/html; charset=utf-8'),
    'Café\n\nOne link & more.\n\na   b\nc   d',
  )
})

test('HTML that is nested too deeply is refused, not a crash', async () => {
  const html = Buffer.from('<div>'.repeat(100_000))
  await assert.rejects(read(html, 'text/html'), refused('damaged', /nested/))
})

test('depth is counted where elements nest, in time that grows with the page only', async () => {
  const started = performance.now()
  for (const tag of ['<div>', '<body>', '<table>'])
    await assert.rejects(read(Buffer.from(tag.repeat(1_000_000)), 'text/html'), refused('damaged', /nested/))
  assert.ok(performance.now() - started < 3000)
  for (const flat of [
    '<p>x'.repeat(10_000),
    '<br>x'.repeat(10_000),
    '<ul><li>x</ul>'.repeat(10_000),
    '<!-- <div> -->x'.repeat(10_000),
    `<script>${'"<div>"+'.repeat(10_000)}""</script>x`,
    '<!--'.repeat(100_000),
    '<'.repeat(100_000),
  ])
    await read(Buffer.from(flat), 'text/html')
})

test('a table is one line a row, however many rows and whatever its cells span', async () => {
  const table = `<table><caption>Fish</caption><thead><tr><th>Name</th><th>Legs</th></tr></thead>
    <tbody><tr><td colspan="1000000000" rowspan="1000000000">Eel</td><td>0</td></tr></tbody></table>`
  assert.equal(await read(Buffer.from(table), 'text/html'), 'Fish\nName   Legs\nEel   0')
  const rows = Buffer.from(`<table>${'<tr><td>a</td><td>b</td></tr>'.repeat(50_000)}</table>`)
  const started = performance.now()
  assert.equal((await read(rows, 'text/html')).length, 6 * 50_000 - 1)
  assert.ok(performance.now() - started < 10_000)
})

test('a Word document gives its paragraphs', async () => {
  assert.equal(await read(makeDocx(['First one.', 'Second \u00fc.']), DOCX), 'First one.\n\nSecond ü.')
})

test('a Word document that would unpack to gigabytes is refused unread', async () => {
  const bomb = makeDocx([], [{ name: 'word/document.xml', data: Buffer.alloc(200 * MIB, 'a') }])
  assert.ok(bomb.length < MIB)
  const started = performance.now()
  await assert.rejects(read(bomb, DOCX), refused('too_large', /more than 100 times/))
  assert.ok(performance.now() - started < 1000)
})

test('a bomb that understates its size is found out', async () => {
  const data = Buffer.alloc(60 * MIB, 'a')
  const bomb = makeDocx([], [{ name: 'word/document.xml', data, claimed_bytes: 4000 }])
  await assert.rejects(read(bomb, DOCX), refused('damaged', /archive is damaged/))
})

test('a damaged or foreign archive fails with a reason', async () => {
  const docx = makeDocx(['text'])
  await assert.rejects(read(docx.subarray(0, docx.length - 30), DOCX), refused('damaged', /archive/))
  await assert.rejects(
    read(makeZip([{ name: 'a.txt', data: 'a' }]), DOCX),
    refused('damaged', /Word document/),
  )
  await assert.rejects(
    read(Buffer.from('not a zip at all, but long enough'), DOCX),
    refused('damaged', /archive/),
  )
})

test('an archive whose directory does not end where its record says is refused', () => {
  const zip = Buffer.from(makeZip([{ name: 'a.txt', data: 'a' }]))
  assert.equal(readZipDirectory(zip)[0]?.name, 'a.txt')
  const gap = Buffer.concat([zip.subarray(0, -22), Buffer.from('gap'), zip.subarray(-22)])
  assert.throws(() => readZipDirectory(gap), refused('damaged', /archive/))
})

test('a file without text is refused by name', async () => {
  await assert.rejects(read(await makePng(2, 2), 'image/png'), refused('unsupported', /image\/png/))
})

test('Markdown, JSON and unknown text are read as they are', async () => {
  for (const mime of ['text/markdown', 'application/json', 'application/octet-stream'])
    assert.equal(await read(Buffer.from('# {"a"}\n'), mime), '# {"a"}\n')
})

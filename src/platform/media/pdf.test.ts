import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePdf } from '../../../tests/support/media.ts'
import { testData, withoutTestData } from '../../../tests/support/test-data.ts'
import { writePdf } from '../../demo/pdf.ts'
import { documentText } from './document-text.ts'
import { encodePng, imageInfo } from './image.ts'
import { MediaError } from './media-error.ts'
import { openPdf, PDF_PAGES_MAX } from './pdf.ts'

const skip = withoutTestData
const pagesOf = async (name: string) => (await documentText(testData(`pdf/${name}`), 'application/pdf')).pages
const refused = (reason: string, pattern: RegExp) => (error: unknown) =>
  error instanceof MediaError && error.reason === reason && pattern.test(error.message)

test('every page gives its text, empty pages too', async () => {
  const { pages, hard_wrapped } = await documentText(
    await makePdf(['One\nTwo', '', 'Three']),
    'application/pdf',
  )
  assert.deepEqual(pages, ['One\nTwo', '', 'Three'])
  assert.equal(hard_wrapped, true)
})

test('a long PDF stops at its next page when that is asked for', async () => {
  const pages = Array.from({ length: 400 }, (_, i) => [`Page ${i}.`])
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error('enough')), 5)
  await assert.rejects(documentText(writePdf(pages), 'application/pdf', controller.signal), /enough/)
  assert.equal((await documentText(writePdf(pages), 'application/pdf')).pages.length, 400)
})

test('Arabic comes in reading order, however the file stores it', { skip }, async () => {
  const [page] = await pagesOf('habibi.pdf')
  assert.equal(page?.split('حَبيبي').length, 3, `حَبيبي twice in ${page}`)
  assert.match(page ?? '', /habibi/)
})

test('columns are read one after the other, and words hyphenated at line ends are joined', {
  skip,
}, async () => {
  const pages = await pagesOf('multicolumn.pdf')
  assert.equal(pages.length, 3)
  const text = pages[0]!.replace(/\n/g, ' ')
  assert.match(text, /consectetuer adipiscing elit\. Ut purus elit/)
  assert.doesNotMatch(pages.join(''), /[\ufffe\r\0]/)
  const order = ['Abstract', 'Lorem ipsum dolor sit amet', 'Nam dui ligula', 'Nulla malesuada porttitor']
  const places = order.map((phrase) => text.indexOf(phrase))
  assert.ok(
    places.every((place) => place >= 0),
    String(places),
  )
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
})

test('a PDF behind a password says so', { skip }, async () => {
  await assert.rejects(pagesOf('bad-password-protected.pdf'), refused('encrypted', /password/))
})

test('what is no PDF, or one cut off, is refused and the next one is read', async () => {
  const good = await makePdf(['fine'])
  await assert.rejects(openPdf(Buffer.from('%PDF-1.7 nonsense')), refused('damaged', /damaged/))
  await assert.rejects(openPdf(new Uint8Array()), refused('damaged', /damaged/))
  assert.deepEqual((await documentText(good, 'application/pdf')).pages, ['fine'])
})

test('more pages than the limit are refused', async () => {
  const pdf = await makePdf(Array.from({ length: PDF_PAGES_MAX + 1 }, () => ''))
  await assert.rejects(openPdf(pdf), refused('too_large', /5001 pages/))
})

test('a page is rendered at the asked resolution, a giant one is scaled down', async () => {
  const sizes = async (points: [number, number], dpi: number) => {
    const pdf = await openPdf(await makePdf(['x'], points))
    try {
      const { width, height, data } = pdf.render(0, dpi)
      assert.equal(data.length, width * height * 4)
      return [width, height]
    } finally {
      pdf.close()
    }
  }
  assert.deepEqual(await sizes([595, 842], 72), [595, 842])
  assert.deepEqual(await sizes([595, 842], 144), [1190, 1684])
  assert.deepEqual(await sizes([14_400, 14_400], 72), [5000, 5000])
})

test('rendering the same page twice gives the same bytes', async () => {
  const pdf = await openPdf(await makePdf(['some words']))
  try {
    const [first, second] = [await encodePng(pdf.render(0, 72)), await encodePng(pdf.render(0, 72))]
    assert.deepEqual(first, second)
    assert.deepEqual(await imageInfo(first), { format: 'png', width: 595, height: 842, frames: 1 })
  } finally {
    pdf.close()
  }
})

test('reading many PDFs does not pile up memory', async () => {
  const bytes = await makePdf(Array.from({ length: 20 }, (_, i) => `Page ${i}\n`.repeat(40)))
  const read = async () => {
    const pdf = await openPdf(bytes)
    for (let page = 0; page < pdf.page_count; page++) pdf.text(page)
    pdf.render(0, 72)
    pdf.close()
  }
  for (let i = 0; i < 20; i++) await read()
  // Pages left open cost over 25 MB in each hundred; what the garbage collector does now and then
  // shows in some rounds but not in all of them.
  const growth: number[] = []
  for (let round = 0; round < 4; round++) {
    const before = process.memoryUsage().rss
    for (let i = 0; i < 100; i++) await read()
    growth.push(process.memoryUsage().rss - before)
  }
  assert.ok(Math.min(...growth) < 12 * 1024 * 1024, `grew by ${growth.join(', ')} bytes`)
})

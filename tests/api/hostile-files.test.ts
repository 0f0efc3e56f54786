import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync } from 'node:zlib'
import { ingestFixture } from '../support/ingest-fixture.ts'
import { makeDocx, makeJpeg, makePdf, makePng, makePngHeader, makeZip } from '../support/media.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

type Property = 'body' | 'picture' | 'paper'
/** A file, the property of the bucket that takes it, and what its failure says; no reason: it is processed. */
type Case = {
  name: string
  property: Property
  bytes: Uint8Array | string
  filename: string
  reason?: RegExp
}

const TYPES = { body: 'text', picture: 'image', paper: 'pdf' } as const

const text = (name: string, bytes: Uint8Array | string, reason?: RegExp, filename = 'a.txt'): Case => ({
  name,
  property: 'body',
  bytes,
  filename,
  ...(reason && { reason }),
})
const docx = (name: string, bytes: Uint8Array, reason: RegExp) => text(name, bytes, reason, 'a.docx')
const html = (name: string, bytes: string, reason?: RegExp) => text(name, bytes, reason, 'a.html')
const picture = (name: string, bytes: Uint8Array | string, reason?: RegExp, filename = 'a.png'): Case => ({
  ...text(name, bytes, reason, filename),
  property: 'picture',
})
const paper = (name: string, bytes: Uint8Array | string, reason?: RegExp): Case => ({
  ...text(name, bytes, reason, 'a.pdf'),
  property: 'paper',
})

const WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
const wordXml = (xml: string) => makeDocx([], [{ name: 'word/document.xml', data: xml }])

/** Each entity is ten of the one before it: "billion laughs". */
const LAUGHS = ['<!ENTITY a "ha">']
  .concat([...'bcdefghij'].map((name, i) => `<!ENTITY ${name} "${`&${'abcdefghi'[i]};`.repeat(10)}">`))
  .join('')

/** A PDF with one page; `objects` come after the page as objects 4, 5 …, `page` and `trailer` refer to them. */
function rawPdf({
  page = '',
  objects = [] as (string | Buffer)[],
  trailer = '',
  kids = '3 0 R',
  count = 1,
}): Buffer {
  return Buffer.concat([
    Buffer.from(
      `%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[${kids}]/Count ${count}>>endobj ` +
        `3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]${page}>>endobj\n`,
    ),
    ...objects.flatMap((object, i) => [
      Buffer.from(`${i + 4} 0 obj`),
      Buffer.from(object as string),
      Buffer.from('endobj\n'),
    ]),
    Buffer.from(`trailer<</Root 1 0 R${trailer}>>\n%%EOF`),
  ])
}

const LOCKED = `<</Filter/Standard/V 1/R 2/P -4/O(${'o'.repeat(32)})/U(${'u'.repeat(32)})>>`

const packed = deflateSync(deflateSync(Buffer.alloc(20_000_000, ' ')))
const PACKED_STREAM = Buffer.concat([
  Buffer.from(`<</Filter[/FlateDecode/FlateDecode]/Length ${packed.length}>>stream\n`),
  packed,
  Buffer.from('\nendstream '),
])

async function cases(): Promise<Case[]> {
  const jpeg = await makeJpeg(64, 64)
  const png = await makePng(64, 64)
  const pdf = await makePdf(['Hello', 'World'])
  return [
    text('a good text', 'The neighbour of many bad files.'),
    picture('a good picture', jpeg, undefined, 'a.jpg'),
    paper('a good paper', pdf),
    picture('half a JPEG', jpeg.subarray(0, jpeg.length / 2), /damaged or incomplete/, 'a.jpg'),
    picture('the head of a JPEG', jpeg.subarray(0, 20), /damaged or incomplete/, 'a.jpg'),
    picture('half a PNG', png.subarray(0, 60), /damaged or incomplete/),
    picture('a PNG of 50,000 by 50,000', makePngHeader(50_000, 50_000), /more than 100 million pixels/),
    picture('a PNG of no size', makePngHeader(0, 0), /damaged/),
    picture('an empty picture', '', /empty/),
    picture(
      'an SVG that multiplies itself',
      `<?xml version="1.0"?><!DOCTYPE svg [${LAUGHS}]><svg xmlns="http://www.w3.org/2000/svg"><text>&j;</text></svg>`,
      /damaged/,
      'a.svg',
    ),
    docx(
      'a Word bomb',
      wordXml(
        `<w:document ${WORD}><w:body><w:p><w:r><w:t>${'a'.repeat(60_000_000)}</w:t></w:r></w:p></w:body></w:document>`,
      ),
      /unpacks to more than 100 times/,
    ),
    docx(
      'a Word bomb that lies about its size',
      makeDocx([], [{ name: 'word/document.xml', data: 'a'.repeat(60_000_000), claimed_bytes: 10 }]),
      /archive is damaged/,
    ),
    docx(
      'a Word document that multiplies itself',
      wordXml(
        `<!DOCTYPE x [${LAUGHS}]><w:document ${WORD}><w:body><w:p><w:r><w:t>&j;</w:t></w:r></w:p></w:body></w:document>`,
      ),
      /cannot be read/,
    ),
    docx('half a Word document', makeDocx(['text']).subarray(0, 300), /archive is damaged/),
    docx('an archive without a document', makeZip([{ name: 'a.txt', data: 'a' }]), /cannot be read/),
    html('HTML of a million levels', '<div>'.repeat(1_000_000), /nested too deeply/),
    html('HTML with a cell over all', '<table><tr><td colspan=1000000000 rowspan=1000000000>cell</table>'),
    text('binary data', Buffer.from('a\0b\0\0c'), /binary data/),
    text('lone surrogates in UTF-8', Buffer.from('eda080edb080', 'hex')),
    text('a lone surrogate in UTF-16', Buffer.from('fffe00d84100', 'hex')),
    text('no text at all', ''),
    text('5 MB in one line', 'x'.repeat(5_000_000)),
    paper('half a PDF', pdf.subarray(0, pdf.length / 2), /damaged/),
    paper('an empty PDF', '', /damaged/),
    paper(
      'an encrypted PDF',
      rawPdf({ objects: [LOCKED], trailer: '/Encrypt 4 0 R/ID[(a)(a)]' }),
      /password/,
    ),
    paper('a PDF that is its own page', rawPdf({ kids: '2 0 R', count: 1_000_000 }), /1000000 pages/),
    paper(
      'a PDF packed twice',
      rawPdf({ page: '/Contents 4 0 R', objects: [PACKED_STREAM] }),
      /no text layer/,
    ),
  ]
}

for (const dialect of DIALECTS) {
  test(`a file that cannot be read is one failed row with its reason, and nothing else suffers (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const make = ingestFixture(app)
    const properties = {
      title: { type: 'string' },
      body: { type: 'text' },
      picture: { type: 'image' },
      paper: { type: 'pdf' },
    }
    const bucket_id = await make.bucket({ bucket_schema: { properties } })
    const source = { type: 'bucket', bucket_ids: [bucket_id] }
    const collection = (name: string, extractor: string, input_mappings: object) =>
      make.collection(name, source, {
        feature_extractor_name: extractor,
        input_mappings,
        field_passthrough: [{ source_path: 'title' }],
      })
    const collections = {
      body: await collection('texts', 'text_extractor', { text: 'body' }),
      paper: await collection('papers', 'text_extractor', { text: 'paper' }),
      picture: await collection('pictures', 'image_extractor', { image: 'picture' }),
    }
    const files = await cases()
    const object_ids = await make.objects(
      bucket_id,
      files.map(({ name, property, bytes, filename }) => ({
        title: name,
        blobs: [
          {
            property,
            type: TYPES[property],
            data: { base64: Buffer.from(bytes as string).toString('base64'), filename },
          },
        ],
      })),
    )

    const batch = await make.process(bucket_id, object_ids)
    assert.equal(batch.status, 'COMPLETED_WITH_ERRORS')
    const failed = await app.request(
      'GET',
      `/v1/buckets/${bucket_id}/batches/${batch.batch_id}/failed-documents`,
    )
    for (const [i, { name, property, reason }] of files.entries()) {
      const own = failed.body.results.filter((one: { object_id: string }) => one.object_id === object_ids[i])
      const object = (await app.request('GET', `/v1/buckets/${bucket_id}/objects/${object_ids[i]}`)).body
      // The other two collections had nothing to do for it, and did that.
      assert.equal(
        object.status,
        reason ? 'COMPLETED_WITH_ERRORS' : 'COMPLETED',
        `${name}: ${JSON.stringify(own)}`,
      )
      assert.equal(own.length, reason ? 1 : 0, name)
      if (!reason) continue
      assert.match(own[0].message, reason, name)
      assert.equal(own[0].collection_id, collections[property], name)
      assert.equal(own[0].error_type, 'validation', name)
      assert.equal(own[0].is_transient, false, name)
    }
    assert.equal(failed.body.total, files.filter(({ reason }) => reason).length)
    const found = await Promise.all(Object.values(collections).map((id) => make.documents(id)))
    const titles = found.flat().map(({ title }) => title)
    for (const { name } of files.slice(0, 3)) assert.ok(titles.includes(name), `${name} is missing`)

    // The worker goes on as if nothing had happened.
    const after = await make.objects(bucket_id, [{ title: 'after', body: 'One more good text.' }])
    assert.equal((await make.process(bucket_id, after)).status, 'COMPLETED')
  })
}

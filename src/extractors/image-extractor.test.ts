import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contextOf, extractAll, fileInput, textInput } from '../../tests/support/extraction.ts'
import { fakeModels } from '../../tests/support/fake-models.ts'
import { makeGif, makeJpeg, makePdf, makePng, makePngHeader } from '../../tests/support/media.ts'
import { imageInfo } from '../platform/media/image.ts'
import { type Extracted, type InputValue, RowError } from './extractor.ts'
import { imageExtractor } from './image-extractor.ts'

const VECTOR = 'google_siglip_base_v1'

const run = (input: InputValue, parameters: Record<string, unknown> = {}, models = fakeModels()) =>
  extractAll(imageExtractor, contextOf(imageExtractor, input, parameters, models))

const image = (name: string, bytes: Uint8Array) => fileInput(name, bytes, 'image')

/** A document without its only member that differs between runs. */
const stable = ({ fields: { processing_time_ms, ...fields }, ...rest }: Extracted) => ({ ...rest, fields })

test('an image is one document with vector, preview and processing time', async () => {
  const [document, ...rest] = await run(image('a.jpg', await makeJpeg(1280, 640)))
  assert.deepEqual(rest, [])
  assert.deepEqual(Object.keys(document!.fields), ['processing_time_ms'])
  assert.ok(Number.isInteger(document!.fields.processing_time_ms))
  assert.equal(document!.vectors[VECTOR]?.length, 8)
  const [file] = document!.files!
  assert.deepEqual(
    [file?.output_field, file?.role, file?.mime_type],
    ['thumbnail_url', 'thumbnail', 'image/jpeg'],
  )
  assert.equal((await imageInfo(file!.bytes)).width, 640)
})

test('the model gets the bytes that were sent, so that the same file as a query finds it', async () => {
  const models = fakeModels()
  const bytes = await makePng(20, 20)
  await run(image('a.png', bytes), {}, models)
  assert.deepEqual(models.calls, [[{ image: bytes }]])
})

test('previews can be switched off, damage is still found', async () => {
  const off = { enable_thumbnails: false }
  const [document] = await run(image('a.png', await makePng(20, 20)), off)
  assert.equal(document?.files, undefined)
  assert.ok(!('thumbnail_url' in imageExtractor.output({ enable_thumbnails: false } as never)))
  const cut = (await makePng(200, 200)).subarray(0, 500)
  await assert.rejects(
    run(image('a.png', cut), off),
    (error) => error instanceof RowError && error.type === 'validation',
  )
})

test('a PDF gives one document a page, pages count from 0', async () => {
  const models = fakeModels()
  const pdf = fileInput('a.pdf', await makePdf(['one', 'two', 'three']), 'pdf')
  const documents = await run(pdf, {}, models)
  assert.deepEqual(
    documents.map(({ fields }) => fields.page_number),
    [0, 1, 2],
  )
  assert.equal(models.calls.length, 1)
  assert.deepEqual(documents.map(stable), (await run(pdf)).map(stable))
  const { width, height } = await imageInfo(documents[0]!.files![0]!.bytes)
  assert.deepEqual([width, height], [595, 842])
})

test('an animation is one document', async () => {
  assert.equal((await run(image('a.gif', await makeGif(3)))).length, 1)
})

test('an image that cannot be decoded fails its row with a reason and advice', async () => {
  for (const input of [
    image('a.png', Buffer.from('no image')),
    image('a.png', makePngHeader(50_000, 50_000)),
    fileInput('a.pdf', Buffer.from('%PDF-1.4'), 'pdf'),
    textInput('not a file'),
  ])
    await assert.rejects(run(input), (error) => error instanceof RowError && error.type === 'validation')
  await assert.rejects(run(image('a.png', Buffer.from('no image'))), { recovery_suggestion: /JPEG, PNG/ })
})

test('rows of a batch share full model batches; a bad row fails alone', async () => {
  const models = fakeModels()
  const good = await Promise.all(Array.from({ length: 40 }, (_, i) => makePng(4 + i, 4)))
  const inputs = [
    ...good.slice(0, 10).map((bytes) => image('a.png', bytes)),
    image('bad.png', Buffer.from('no image')),
    fileInput('a.pdf', await makePdf(['x', 'y']), 'pdf'),
    ...good.slice(10).map((bytes) => image('a.png', bytes)),
  ]
  const contexts = inputs.map((input) => contextOf(imageExtractor, input, {}, models))
  const results = await imageExtractor.extractBatch!(contexts)
  assert.deepEqual(
    models.calls.map((call) => call.length),
    [32, 10],
  )
  const alone: (number | Extracted[])[] = []
  for (const context of contexts) alone.push(await extractAll(imageExtractor, context).catch(() => 0))
  assert.deepEqual(
    results.map((result) => (result instanceof RowError ? 0 : result.map(stable))),
    alone.map((result) => (typeof result === 'number' ? 0 : result.map(stable))),
  )
})

test('one page that the model refuses fails the whole row, not its neighbours', async () => {
  const refused = await makePng(9, 9)
  const models = fakeModels({
    onInput: (input) => {
      if ('image' in input && Buffer.from(refused).equals(input.image)) throw new Error('cannot take this')
    },
  })
  const results = await imageExtractor.extractBatch!(
    [await makePng(5, 5), refused, await makePng(6, 6)].map((bytes) =>
      contextOf(imageExtractor, image('a.png', bytes), {}, models),
    ),
  )
  assert.deepEqual(
    results.map((result) => (result instanceof RowError ? result.type : result.length)),
    [1, 'runtime', 1],
  )
})

test('without a model every row fails as a dependency', async () => {
  const models = fakeModels({ slots: ['text'] })
  const results = await imageExtractor.extractBatch!([
    contextOf(imageExtractor, image('a.png', await makePng(4, 4)), {}, models),
  ])
  assert.ok(results[0] instanceof RowError && results[0].type === 'dependency')
})

test('a canceled job stops instead of failing rows', async () => {
  const controller = new AbortController()
  const bytes = await makePng(4, 4)
  const models = fakeModels({ onInput: () => controller.abort() })
  const contexts = Array.from({ length: 40 }, () =>
    contextOf(imageExtractor, image('a.png', bytes), {}, models, controller.signal),
  )
  await assert.rejects(imageExtractor.extractBatch!(contexts), { name: 'AbortError' })
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contextOf, extractAll, fileInput, textInput } from '../../tests/support/extraction.ts'
import { fakeModels } from '../../tests/support/fake-models.ts'
import { makeDocx, makePdf } from '../../tests/support/media.ts'
import { KuraError } from '../core/errors.ts'
import { defaultParameters } from './catalogue.ts'
import { type InputValue, RowError } from './extractor.ts'
import { textExtractor } from './text-extractor.ts'

const VECTOR = 'multilingual_e5_large_instruct_v1'

const run = (input: InputValue, parameters: Record<string, unknown> = {}, models = fakeModels()) =>
  extractAll(textExtractor, contextOf(textExtractor, input, parameters, models))

const texts = async (input: InputValue, parameters: Record<string, unknown>) =>
  (await run(input, parameters)).map(({ fields }) => fields.text)

const failsWith = (type: string, pattern: RegExp) => (error: unknown) =>
  error instanceof RowError && error.type === type && pattern.test(error.message)

test('a text that is not split is one document with its text and vector', async () => {
  const [document, ...rest] = await run(textInput(' The whole text.\n'))
  assert.deepEqual(rest, [])
  assert.deepEqual(document?.fields, { text: ' The whole text.\n' })
  assert.equal(document?.vectors[VECTOR]?.length, 8)
})

test('chunks carry their place at the root and under metadata', async () => {
  const documents = await run(textInput('One. Two. Three.'), { split_by: 'sentences', chunk_size: 2 })
  assert.deepEqual(
    documents.map(({ fields }) => fields),
    [
      {
        text: 'One. Two.',
        chunk_index: 0,
        total_chunks: 2,
        metadata: { chunk_index: 0, total_chunks: 2, chunk_text: 'One. Two.' },
      },
      {
        text: 'Three.',
        chunk_index: 1,
        total_chunks: 2,
        metadata: { chunk_index: 1, total_chunks: 2, chunk_text: 'Three.' },
      },
    ],
  )
})

test('files are read by their text layer', async () => {
  const pdf = await makePdf(['First page\nstill first', 'Second page'])
  assert.deepEqual(await texts(fileInput('a.pdf', pdf, 'pdf'), {}), [
    'First page\nstill first\n\nSecond page',
  ])
  assert.deepEqual(await texts(fileInput('a.pdf', pdf, 'pdf'), { split_by: 'pages', chunk_size: 1 }), [
    'First page\nstill first',
    'Second page',
  ])
  assert.deepEqual(
    await texts(fileInput('a.docx', makeDocx(['One.', 'Two.'])), { split_by: 'paragraphs', chunk_size: 1 }),
    ['One.', 'Two.'],
  )
  assert.deepEqual(await texts(fileInput('a.html', Buffer.from('<p>Hi <b>you</b></p>')), {}), ['Hi you'])
  assert.deepEqual(await texts(fileInput('a.md', Buffer.from('# Hi\n')), {}), ['# Hi\n'])
})

test('a sentence that runs over a page end stays whole', async () => {
  const pdf = await makePdf(['Short. This one goes', 'on here. End.'])
  assert.deepEqual(await texts(fileInput('a.pdf', pdf, 'pdf'), { split_by: 'sentences', chunk_size: 1 }), [
    'Short.',
    'This one goes\non here.',
    'End.',
  ])
})

test('a PDF without text layer fails its row and says what to do', async () => {
  const scan = fileInput('scan.pdf', await makePdf(['', '']), 'pdf')
  await assert.rejects(run(scan), failsWith('validation', /no text layer/))
})

test('blank text gives no document and calls no model', async () => {
  const models = fakeModels({ slots: [] })
  assert.deepEqual(await run(textInput(' \n'), {}, models), [])
  assert.deepEqual(await run(fileInput('a.txt', Buffer.from('\n')), {}, models), [])
})

test('characters that databases refuse do not reach the document', async () => {
  assert.deepEqual(await texts(textInput('a\0b\ud800'), {}), ['ab\ufffd'])
})

test('a text over the token limit is marked, its text is kept', async () => {
  const models = fakeModels({ max_tokens: 2 })
  const [short, long] = [await run(textInput('a b'), {}, models), await run(textInput('a b c'), {}, models)]
  assert.equal(short[0]?.metadata, undefined)
  assert.deepEqual(long[0]?.metadata, { truncated: true })
  assert.equal(long[0]?.fields.text, 'a b c')
})

test('rules that a schema cannot say are checked when a collection is saved', () => {
  const check = (parameters: object) =>
    textExtractor.check?.({ ...defaultParameters(textExtractor), ...parameters } as never)?.code ?? null
  assert.equal(check({}), null)
  assert.equal(check({ split_by: 'words', chunk_size: 5, chunk_overlap: 4 }), null)
  assert.equal(check({ chunk_size: 5, chunk_overlap: 5 }), 'invalid_chunk_overlap')
  assert.equal(check({ split_by: 'time_segments' }), 'invalid_extractor_parameters')
  assert.equal(check({ split_by: 'time_segments', source_type: 'youtube' }), null)
})

test('without a model the row fails as a dependency, which a later retry can heal', async () => {
  const models = fakeModels({ slots: [] })
  await assert.rejects(run(textInput('a'), {}, models), failsWith('dependency', /"text" slot/))
  const results = await textExtractor.extractBatch!([
    contextOf(textExtractor, textInput('a'), {}, models),
    contextOf(textExtractor, textInput(' '), {}, models),
    contextOf(textExtractor, fileInput('a.pdf', Buffer.from('%PDF'), 'pdf'), {}, models),
  ])
  assert.deepEqual(
    results.map((result) => (result instanceof RowError ? result.type : result)),
    ['dependency', [], 'validation'],
  )
})

test('a YouTube source fails its row as a missing dependency', async () => {
  await assert.rejects(
    run(textInput('https://youtu.be/x'), { source_type: 'youtube' }),
    failsWith('dependency', /YouTube/),
  )
})

test('a response shape without language model is named as missing, the document is written', async () => {
  const shape = { type: 'object', properties: { topic: { type: 'string' }, text: { type: 'string' } } }
  const [document] = await run(textInput('a'), { response_shape: shape })
  assert.deepEqual(
    document?.missing?.map(({ feature, error }) => [feature, error.type]),
    [
      ['topic', 'dependency'],
      ['extracted_text', 'dependency'],
    ],
  )
  const [wish] = await run(textInput('a'), { response_shape: 'the main topic' })
  assert.deepEqual(
    wish?.missing?.map(({ feature }) => feature),
    ['response_shape'],
  )
  const output = textExtractor.output({ ...defaultParameters(textExtractor), response_shape: shape } as never)
  assert.deepEqual(Object.keys(output), ['text', 'topic', 'extracted_text'])
})

test('rows of a batch share full model batches, and give what they give alone', async () => {
  const models = fakeModels()
  const contexts = Array.from({ length: 50 }, (_, i) =>
    contextOf(textExtractor, textInput(`a${i} b${i}`), { split_by: 'words', chunk_size: 1 }, models),
  )
  const batched = await textExtractor.extractBatch!(contexts)
  assert.deepEqual(
    models.calls.map((call) => call.length),
    [32, 32, 32, 4],
  )
  const alone = []
  for (const context of contexts) alone.push(await extractAll(textExtractor, context))
  assert.deepEqual(batched, alone)
})

test('a row that fails does not fail its neighbours', async () => {
  const models = fakeModels({
    onInput: (input) => {
      if ('text' in input && input.text.includes('bad')) throw new Error('cannot take this')
    },
  })
  const inputs = [
    textInput('good'),
    textInput('bad'),
    fileInput('a.pdf', Buffer.from('%PDF-1.4 broken'), 'pdf'),
    { kind: 'json', value: { a: 1 } } as const,
    textInput('fine'),
  ]
  const results = await textExtractor.extractBatch!(
    inputs.map((input) => contextOf(textExtractor, input, {}, models)),
  )
  assert.deepEqual(
    results.map((result) => (result instanceof RowError ? result.type : result.length)),
    [1, 'runtime', 'validation', 'validation', 1],
  )
})

test('a failing model service is asked once a batch, not once a row', async () => {
  const models = fakeModels({
    onInput: () => {
      throw new KuraError('inference_failed')
    },
  })
  const results = await textExtractor.extractBatch!(
    Array.from({ length: 20 }, (_, i) => contextOf(textExtractor, textInput(`t${i}`), {}, models)),
  )
  assert.equal(models.calls.length, 1)
  assert.ok(results.every((result) => result instanceof RowError && result.isTransient))
})

test('a canceled job stops instead of failing rows', async () => {
  const controller = new AbortController()
  const models = fakeModels({ onInput: () => controller.abort() })
  const contexts = Array.from({ length: 64 }, (_, i) =>
    contextOf(textExtractor, textInput(`t${i}`), {}, models, controller.signal),
  )
  await assert.rejects(textExtractor.extractBatch!(contexts), { name: 'AbortError' })
  assert.equal(models.calls.length, 1)
})

test('a text that gives absurdly many chunks fails its row', async () => {
  await assert.rejects(
    run(textInput('a'.repeat(60_000)), { split_by: 'characters', chunk_size: 1 }),
    failsWith('validation', /60000 chunks/),
  )
})

test('two runs give the same documents', async () => {
  const input = fileInput('a.pdf', await makePdf(['One. Two.', 'Three. Four.']), 'pdf')
  const parameters = { split_by: 'sentences', chunk_size: 2, chunk_overlap: 1 }
  assert.deepEqual(await run(input, parameters), await run(input, parameters))
})

test('a long text stops between two calls of the model when that is asked for', async () => {
  const models = fakeModels()
  const controller = new AbortController()
  const words = 'word '.repeat(20_000)
  const parameters = { split_by: 'words', chunk_size: 1 }
  const context = contextOf(textExtractor, textInput(words), parameters, models, controller.signal)
  setTimeout(() => controller.abort(new Error('enough')), 5)
  await assert.rejects(extractAll(textExtractor, context), /enough/)
})

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makePng } from '../../../tests/support/media.ts'
import { testData, withoutTestData } from '../../../tests/support/test-data.ts'
import { writeTinyModel } from '../../../tests/support/tiny-text-model.ts'
import { createModels, type ModelsOptions } from './create-models.ts'

const open = (options: ModelsOptions) => {
  const models = createModels(options)
  after(() => models.close())
  return models
}
const RUNS = ['in_process', 'child'] as const

for (const run of RUNS) {
  test(`${run}: slots are described without being loaded`, () => {
    const models = open({ run })
    const text = models.describe('text')
    assert.equal(text?.id, 'kura/all-minilm-l6-v2-int8')
    assert.deepEqual([text?.dimensions, text?.semantic, text?.max_tokens], [384, true, 256])
    const image = models.describe('image')
    assert.deepEqual([image?.id, image?.dimensions, image?.semantic], ['kura/visual-768', 768, false])
    assert.equal(models.describe('llm'), undefined)
  })

  test(`${run}: a slot without a model says so`, async () => {
    await assert.rejects(open({ run }).embedding('llm'), {
      code: 'inference_provider_not_configured',
      message: /"llm" slot/,
    })
  })

  test(`${run}: the setting "hash" binds the weightless text model`, async () => {
    const models = open({ run, text_model: 'hash' })
    assert.equal(models.describe('text')?.semantic, false)
    const model = await models.embedding('text')
    const [vector] = await model.embed([{ text: 'hello' }], { purpose: 'query' })
    assert.equal(vector?.length, 1024)
  })

  test(`${run}: a directory of the configured folder serves the text slot`, async () => {
    const { models_path, name } = writeTinyModel()
    const models = open({ run, models_path, text_model: name })
    assert.equal(models.describe('text')?.id, 'local/tiny')
    const model = await models.embedding('text')
    assert.equal((await model.embed([{ text: 'red' }], { purpose: 'document' }))[0]?.length, 4)
  })

  test(`${run}: errors keep their code and words`, { skip: withoutTestData }, async () => {
    const models = open({ run })
    const image = await models.embedding('image')
    const broken = testData('images/bad-truncated.jpg')
    await assert.rejects(image.embed([{ image: broken }], { purpose: 'query' }), {
      name: 'KuraError',
      code: 'image_not_decodable',
      message: /damaged or incomplete/,
    })
    await assert.rejects(image.embed([{ text: 'a cat' }], { purpose: 'query' }), {
      code: 'modality_not_supported',
      message: 'The model kura/visual-768 cannot read text.',
    })
  })
}

test('a text model that does not exist is refused before anything starts', () => {
  assert.throws(() => createModels({ run: 'child', text_model: 'no-such-model' }), {
    code: 'config_invalid',
    message: /no model "no-such-model".*KURA_TEXT_MODEL/,
  })
})

test('both ways to run give the same vectors', async () => {
  const [here, there] = RUNS.map((run) => open({ run }))
  await Promise.all([here!.warm('text'), there!.warm('text')])
  const texts = Array.from({ length: 40 }, (_, i) => ({ text: `sentence number ${i} about the sea` }))
  const image = { image: await makePng(80, 60) }
  for (const [slot, inputs] of [
    ['text', texts],
    ['image', [image]],
  ] as const) {
    const [a, b] = await Promise.all(
      [here!, there!].map(async (models) =>
        (await models.embedding(slot)).embed(inputs, { purpose: 'document' }),
      ),
    )
    assert.deepEqual(a, b)
  }
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { makePng } from '../../../tests/support/media.ts'
import { testData, withoutTestData } from '../../../tests/support/test-data.ts'
import { KuraError } from '../../core/errors.ts'
import { VISUAL_DIMENSIONS } from './visual-features.ts'
import { visualModel } from './visual-model.ts'

const embed = async (...images: Uint8Array[]) =>
  visualModel.embed(
    images.map((image) => ({ image })),
    { purpose: 'document' },
  )
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const picture = (name: string) => testData(`images/${name}`)

const PHOTOGRAPHS = [
  'astronaut.png',
  'coffee.png',
  'motorcycle_left.png',
  'motorcycle_right.png',
  'camera.png',
]
const TEXTURES = ['brick.png', 'grass.png', 'gravel.png']

test('a photograph is nearer to photographs than to textures', { skip: withoutTestData }, async () => {
  const [cat] = await embed(picture('chelsea.png'))
  const photographs = await embed(...PHOTOGRAPHS.map(picture))
  const textures = await embed(...TEXTURES.map(picture))
  const farthest = Math.min(...photographs.map((vector) => dot(cat!, vector)))
  const nearest = Math.max(...textures.map((vector) => dot(cat!, vector)))
  assert.ok(farthest > nearest + 0.1, `${farthest} ${nearest}`)
})

test('two views of one scene are nearly the same', { skip: withoutTestData }, async () => {
  const [left, right] = await embed(picture('motorcycle_left.png'), picture('motorcycle_right.png'))
  assert.ok(dot(left!, right!) > 0.85)
})

test('altered copies find their original first', { skip: withoutTestData }, async () => {
  const names = [
    ...PHOTOGRAPHS.filter((name) => name !== 'motorcycle_right.png'),
    ...TEXTURES,
    'rocket.jpg',
    'page.png',
  ]
  const originals = await embed(...names.map(picture))
  for (const [i, name] of names.entries()) {
    const image = sharp(picture(name)).flatten()
    const { width = 0, height = 0 } = await image.metadata()
    const altered = {
      half: image
        .clone()
        .resize(Math.ceil(width / 2))
        .png(),
      jpeg: image.clone().jpeg({ quality: 30 }),
      brighter: image.clone().modulate({ brightness: 1.25 }).png(),
      cropped: image
        .clone()
        .extract({
          left: Math.floor(width * 0.07),
          top: Math.floor(height * 0.07),
          width: Math.floor(width * 0.86),
          height: Math.floor(height * 0.86),
        })
        .png(),
      grey: image.clone().greyscale().png(),
    }
    for (const [how, copy] of Object.entries(altered)) {
      const [vector] = await embed(await copy.toBuffer())
      const scores = originals.map((original) => dot(vector!, original))
      assert.equal(scores.indexOf(Math.max(...scores)), i, `${name}, ${how}: ${scores}`)
    }
  }
})

test('any image gives one finite vector of length 1', async () => {
  const plain = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#808080' } })
    .png()
    .toBuffer()
  const deep = await sharp(await makePng(64, 48))
    .toColourspace('rgb16')
    .png()
    .toBuffer()
  const clear = await sharp({ create: { width: 9, height: 5, channels: 4, background: '#00000000' } })
    .webp()
    .toBuffer()
  for (const vector of await embed(plain, deep, clear, await makePng(64, 48))) {
    assert.equal(vector.length, VISUAL_DIMENSIONS)
    assert.ok(Math.abs(dot(vector, vector) - 1) < 1e-5)
  }
})

test('the same picture with 16 bits a channel is the same', async () => {
  const png = await makePng(64, 48)
  const deep = await sharp(png).toColourspace('rgb16').png().toBuffer()
  const [a, b] = await embed(png, deep)
  assert.ok(dot(a!, b!) > 0.99)
})

test('a damaged image is refused with its reason', { skip: withoutTestData }, async () => {
  await assert.rejects(embed(picture('bad-truncated.jpg')), (error) => {
    assert.ok(error instanceof KuraError)
    assert.equal(error.code, 'image_not_decodable')
    return true
  })
})

test('a text is refused', async () => {
  await assert.rejects(visualModel.embed([{ text: 'a cat' }], { purpose: 'query' }), {
    code: 'modality_not_supported',
  })
})

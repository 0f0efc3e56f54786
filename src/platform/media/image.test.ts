import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { makeGif, makeJpeg, makePng, makePngHeader } from '../../../tests/support/media.ts'
import { testData, withoutTestData } from '../../../tests/support/test-data.ts'
import { checkImage, imageInfo, modelImage, thumbnail } from './image.ts'
import { MediaError } from './media-error.ts'

const refused = (reason: string, pattern: RegExp) => (error: unknown) =>
  error instanceof MediaError && error.reason === reason && pattern.test(error.message)

/** The colour of a pixel, read from the corner that the fractions name. */
async function colourAt(bytes: Uint8Array, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const at = (Math.floor(y * (info.height - 1)) * info.width + Math.floor(x * (info.width - 1))) * 3
  return [...data.subarray(at, at + 3)]
}

test('a thumbnail is a JPEG 640 pixels wide and never larger than the image', async () => {
  assert.deepEqual(await imageInfo(await thumbnail(await makePng(1280, 900))), {
    format: 'jpeg',
    width: 640,
    height: 450,
    frames: 1,
  })
  const small = await imageInfo(await thumbnail(await makePng(100, 50)))
  assert.deepEqual([small.width, small.height], [100, 50])
})

test('a thumbnail is upright by the EXIF rotation and carries no metadata', async () => {
  const turned = await makeJpeg(200, 100, 6)
  const { width, height } = await imageInfo(turned)
  assert.deepEqual([width, height], [100, 200])
  const preview = await thumbnail(turned)
  const metadata = await sharp(preview).metadata()
  assert.deepEqual([metadata.width, metadata.height, metadata.exif], [100, 200, undefined])
  // Red grows to the right in the stored image; turned by 90 degrees it grows downwards.
  const [top, bottom] = [await colourAt(preview, 0.5, 0.05), await colourAt(preview, 0.5, 0.95)]
  assert.ok(bottom[0]! - top[0]! > 150, `${top} ${bottom}`)
})

test('a strip of extreme shape still gets a thumbnail', async () => {
  const { width, height } = await imageInfo(await thumbnail(await makePng(4, 70_000)))
  assert.ok(width >= 1 && height <= 8192)
})

test('transparent parts of a thumbnail are white', async () => {
  const clear = await sharp({ create: { width: 4, height: 4, channels: 4, background: '#00000000' } })
    .png()
    .toBuffer()
  assert.deepEqual(await colourAt(await thumbnail(clear), 0.5, 0.5), [255, 255, 255])
})

test('of an animation only the first frame is seen', async () => {
  const gif = await makeGif(3)
  assert.equal((await imageInfo(gif)).frames, 3)
  const [red, , blue] = await colourAt(await modelImage(gif), 0.5, 0.5)
  assert.ok(red! > 200 && blue! < 50)
  const { height } = await imageInfo(await thumbnail(gif))
  assert.equal(height, 8)
})

test('a model gets common formats byte for byte', async () => {
  const jpeg = await makeJpeg(10, 10)
  assert.equal(await modelImage(jpeg), jpeg)
  const tiff = await sharp(await makePng(6, 6))
    .tiff()
    .toBuffer()
  assert.equal((await imageInfo(await modelImage(tiff))).format, 'png')
})

test('equal input gives equal bytes', async () => {
  const png = await makePng(700, 300)
  assert.deepEqual(await thumbnail(png), await thumbnail(png))
})

test('a header that promises 2.5 gigapixels is refused at once', async () => {
  const bomb = makePngHeader(50_000, 50_000)
  const started = performance.now()
  for (const read of [imageInfo, thumbnail, checkImage, modelImage])
    await assert.rejects(read(bomb), refused('too_large', /100 million pixels/))
  assert.ok(performance.now() - started < 500)
})

test('an image cut off is refused, also when only a part is missing', { skip: withoutTestData }, async () => {
  await assert.rejects(thumbnail(testData('images/bad-truncated.jpg')), refused('damaged', /damaged/))
  const photo = testData('images/rocket.jpg')
  const cut = photo.subarray(0, Math.floor(photo.length * 0.6))
  await assert.rejects(thumbnail(cut), refused('damaged', /damaged/))
  await assert.rejects(checkImage(cut), refused('damaged', /damaged/))
  const png = testData('images/chelsea.png')
  await assert.rejects(checkImage(png.subarray(0, 100_000)), refused('damaged', /damaged/))
})

test('what is no image is refused with the formats that are', async () => {
  await assert.rejects(imageInfo(Buffer.from('hello')), refused('unsupported', /no image/))
  await assert.rejects(thumbnail(new Uint8Array()), refused('damaged', /empty/))
})

import type { Sharp } from 'sharp'
import { MediaError } from './media-error.ts'
import type { RawImage } from './pdf.ts'

/** Decoded size is what an image costs in memory; a header can promise any. */
export const IMAGE_PIXELS_MAX = 100_000_000
const THUMBNAIL_WIDTH = 640
/** Only for strips of extreme shape: JPEG itself ends at 65,535 pixels. */
const THUMBNAIL_HEIGHT_MAX = 8192
const THUMBNAIL_QUALITY = 85

/** Formats that every model provider reads as they are. */
const COMMON = new Set(['jpeg', 'png', 'webp', 'gif'])

const INPUT = {
  limitInputPixels: IMAGE_PIXELS_MAX,
  failOn: 'truncated',
  sequentialRead: true,
  // The first frame of an animation, the first page of a TIFF.
  pages: 1,
} as const

let loading: Promise<typeof import('sharp').default> | undefined

/** sharp, loaded with the first image. One thread per image: engine processes are what scales. */
function loadSharp() {
  loading ??= import('sharp').then(({ default: sharp }) => {
    sharp.concurrency(1)
    sharp.cache(false) // Every image comes once; a cache would only hold memory.
    return sharp
  })
  return loading
}

/** `width` and `height` are those of the upright image, in pixels. `frames` counts frames or pages. */
export type ImageInfo = { format: string; width: number; height: number; frames: number }

/** Reads the header only. Throws MediaError for what is no image, or too large a one. */
export async function imageInfo(bytes: Uint8Array): Promise<ImageInfo> {
  const { format, autoOrient, pages } = await decoding((await open(bytes)).metadata())
  if (autoOrient.width * autoOrient.height > IMAGE_PIXELS_MAX) throw tooLarge()
  return { format, width: autoOrient.width, height: autoOrient.height, frames: pages ?? 1 }
}

/**
 * A JPEG preview 640 pixels wide, never larger than the image, upright by its EXIF rotation,
 * transparent parts white. Decodes the whole image, so a damaged one is found here.
 */
export async function thumbnail(image: Uint8Array | RawImage): Promise<Uint8Array> {
  const resized = (await open(image)).autoOrient().resize({
    width: THUMBNAIL_WIDTH,
    height: THUMBNAIL_HEIGHT_MAX,
    fit: 'inside',
    withoutEnlargement: true,
  })
  return decoding(resized.flatten({ background: '#ffffff' }).jpeg({ quality: THUMBNAIL_QUALITY }).toBuffer())
}

/** Decodes at the smallest size that the format allows, only to learn whether it can be decoded. */
export async function checkImage(bytes: Uint8Array): Promise<void> {
  await decoding((await open(bytes)).resize({ width: 16, height: 16, fit: 'fill' }).raw().toBuffer())
}

/**
 * The image as a model gets it: the very bytes if every provider reads them, so that a query with the
 * same file finds it exactly; else its first frame as an upright PNG.
 */
export async function modelImage(bytes: Uint8Array): Promise<Uint8Array> {
  const { format, frames } = await imageInfo(bytes)
  if (COMMON.has(format) && frames === 1) return bytes
  return decoding((await open(bytes)).autoOrient().png({ compressionLevel: 3 }).toBuffer())
}

/**
 * The upright image squeezed to `width` x `height`: rows of red, green, blue bytes (sRGB), transparent
 * parts white. A JPEG is decoded no larger than needed.
 */
export async function rgbPixels(
  bytes: Uint8Array,
  { width, height }: { width: number; height: number },
): Promise<Uint8Array> {
  const resized = (await open(bytes)).autoOrient().resize({ width, height, fit: 'fill' })
  const flat = resized.flatten({ background: '#ffffff' }).toColourspace('srgb')
  return decoding(flat.removeAlpha().raw({ depth: 'uchar' }).toBuffer())
}

/** Pixels as a PNG file. */
export async function encodePng(image: RawImage): Promise<Uint8Array> {
  return decoding((await open(image)).removeAlpha().png({ compressionLevel: 3 }).toBuffer())
}

async function open(image: Uint8Array | RawImage): Promise<Sharp> {
  const sharp = await loadSharp()
  if (image instanceof Uint8Array) {
    if (image.length === 0) throw new MediaError('damaged', 'The image file is empty.')
    return sharp(image, INPUT)
  }
  return sharp(image.data, { ...INPUT, raw: { width: image.width, height: image.height, channels: 4 } })
}

async function decoding<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw asMediaError(error)
  }
}

const tooLarge = (cause?: unknown) =>
  new MediaError('too_large', `The image has more than ${IMAGE_PIXELS_MAX / 1e6} million pixels.`, {
    cause,
    suggestion: 'Scale it down before sending it.',
  })

function asMediaError(cause: unknown): MediaError {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (/pixel limit|exceeds pixel/i.test(text)) return tooLarge(cause)
  if (/unsupported image format|no decoding plugin|not built/i.test(text))
    return new MediaError('unsupported', 'The file is no image that this server can decode.', {
      cause,
      suggestion: 'Send it as JPEG, PNG, WebP, GIF, AVIF, TIFF or SVG.',
    })
  return new MediaError('damaged', `The image is damaged or incomplete (${text.split('\n')[0]}).`, {
    cause,
    suggestion: 'Send the file again; it may have been cut off on the way.',
  })
}

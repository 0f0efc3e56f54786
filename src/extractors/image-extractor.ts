import Type, { type Static } from 'typebox'
import { Defaulted } from '../core/schema.ts'
import { readAhead } from '../lib/read-ahead.ts'
import { checkImage, encodePng, modelImage, thumbnail } from '../platform/media/image.ts'
import { openPdf } from '../platform/media/pdf.ts'
import { EMBED_BATCH_MAX, embedAll, loadModel } from './embedding.ts'
import {
  defineExtractor,
  type ExtractContext,
  type Extracted,
  RowError,
  type VectorOutput,
} from './extractor.ts'
import { toRowError } from './row-errors.ts'

const NAME = 'image_extractor'
const PAGE_DPI = 72

/** One image is decoded while the one before is, or while the model works: both use another thread. */
const READ_AHEAD = 1

/** Encoded images that wait for the model; a batch is closed early rather than hold more. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024

const VECTOR: VectorOutput = {
  name: 'google_siglip_base_v1',
  aliases: ['embedding', 'image_embedding', 'clip_embedding', 'siglip_base_v1'],
  storage_name: 'image_extractor_v1_embedding',
  slot: 'image',
  upstream_model: 'google/siglip-base-patch16-224',
  distance: 'cosine',
}

const Parameters = Type.Object(
  {
    extractor_type: Defaulted(Type.Literal(NAME), NAME),
    enable_thumbnails: Defaulted(Type.Boolean({ description: 'Make a JPEG preview 640 pixels wide.' }), true),
    use_cdn: Defaulted(
      Type.Boolean({ description: 'Previews under permanent public URLs instead of signed ones.' }),
      false,
    ),
  },
  { additionalProperties: true },
)
type Context = ExtractContext<Static<typeof Parameters>>

/** One image, or one page of a PDF, on its way to the model. */
type Picture = {
  image: Uint8Array
  page_number: number | null
  thumbnail: Uint8Array | null
  decode_ms: number
}

/** Embeds images (GIF: the first frame) and pages of PDFs, and makes previews of them. */
export const imageExtractor = defineExtractor({
  name: NAME,
  version: 'v1',
  description: 'Embeds images by what they show and makes previews. A PDF gives one document per page.',
  inputs: {
    image: { description: 'An image, or a PDF.', accepts: ['image', 'pdf'], required: true },
  },
  parameters: Parameters,
  output: ({ enable_thumbnails }) => ({
    ...(enable_thumbnails && {
      thumbnail_url: { type: 'string', description: 'JPEG preview, at most 640 pixels wide.' },
    }),
    processing_time_ms: { type: 'integer', description: 'Time for decoding and embedding.' },
    page_number: { type: 'integer', description: 'Page of a PDF, from 0.' },
  }),
  vectors: () => [VECTOR],
  position_fields: ['page_number'],

  async *extract(context) {
    const model = await loadModel(context.models, VECTOR.slot)
    if (model instanceof RowError) throw model
    for await (const batch of pictureBatches(context)) {
      const started = performance.now()
      const vectors = await embedAll(model, batch.map(asInput), context.signal)
      const embed_ms = (performance.now() - started) / batch.length
      for (const [i, picture] of batch.entries()) {
        const vector = vectors[i]!
        if (vector instanceof RowError) throw vector
        yield toDocument(picture, vector, embed_ms)
      }
    }
  },

  async extractBatch(contexts) {
    const rows: (Extracted[] | RowError)[] = contexts.map(() => [])
    const [first] = contexts
    if (!first) return rows
    const model = await loadModel(first.models, VECTOR.slot)
    if (model instanceof RowError) return contexts.map(() => model)
    let pending: { row: number; picture: Picture }[] = []
    const flush = async () => {
      const started = performance.now()
      const vectors = await embedAll(
        model,
        pending.map(({ picture }) => asInput(picture)),
        first.signal,
      )
      const embed_ms = (performance.now() - started) / pending.length
      for (const [i, { row, picture }] of pending.entries())
        addDocument(rows, row, picture, vectors[i]!, embed_ms)
      pending = []
    }
    for await (const step of readAhead(contexts.map(pictures), READ_AHEAD)) {
      first.signal.throwIfAborted()
      if ('error' in step) rows[step.source] = toRowError(step.error)
      else pending.push({ row: step.source, picture: step.value })
      if (isFull(pending.map(({ picture }) => picture))) await flush()
    }
    if (pending.length > 0) await flush()
    return rows
  },
})

const asInput = ({ image }: Picture) => ({ image })

function addDocument(
  rows: (Extracted[] | RowError)[],
  row: number,
  picture: Picture,
  vector: Float32Array | RowError,
  embed_ms: number,
): void {
  const documents = rows[row]!
  if (documents instanceof RowError) return
  if (vector instanceof RowError) rows[row] = vector
  else documents.push(toDocument(picture, vector, embed_ms))
}

function toDocument(picture: Picture, vector: Float32Array, embed_ms: number): Extracted {
  return {
    fields: {
      processing_time_ms: Math.round(picture.decode_ms + embed_ms),
      ...(picture.page_number !== null && { page_number: picture.page_number }),
    },
    vectors: { [VECTOR.name]: vector },
    ...(picture.thumbnail && {
      files: [
        {
          output_field: 'thumbnail_url',
          role: 'thumbnail',
          mime_type: 'image/jpeg',
          bytes: picture.thumbnail,
        },
      ],
    }),
  }
}

const isFull = (batch: readonly Picture[]) =>
  batch.length >= EMBED_BATCH_MAX ||
  batch.reduce((sum, { image }) => sum + image.length, 0) >= PENDING_BYTES_MAX

async function* pictureBatches(context: Context): AsyncGenerator<Picture[]> {
  let batch: Picture[] = []
  for await (const picture of pictures(context)) {
    batch.push(picture)
    if (!isFull(batch)) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function* pictures(context: Context): AsyncGenerator<Picture> {
  const { input, parameters, signal } = context
  signal.throwIfAborted()
  if (input.kind !== 'file')
    throw new RowError('validation', 'The mapped value is neither an image nor the URL of one.')
  const bytes = await input.bytes()
  try {
    if (input.mime_type === 'application/pdf') yield* pages(bytes, parameters.enable_thumbnails, signal)
    else yield await picture(bytes, parameters.enable_thumbnails)
  } catch (error) {
    signal.throwIfAborted()
    throw toRowError(error)
  }
}

async function picture(bytes: Uint8Array, with_thumbnail: boolean): Promise<Picture> {
  const started = performance.now()
  const image = await modelImage(bytes)
  const preview = with_thumbnail ? await thumbnail(bytes) : null
  // The preview has decoded every pixel; without one, damage is looked for here.
  if (!preview) await checkImage(bytes)
  return { image, page_number: null, thumbnail: preview, decode_ms: performance.now() - started }
}

async function* pages(
  bytes: Uint8Array,
  with_thumbnail: boolean,
  signal: AbortSignal,
): AsyncGenerator<Picture> {
  const pdf = await openPdf(bytes)
  try {
    for (let page_number = 0; page_number < pdf.page_count; page_number++) {
      signal.throwIfAborted()
      const started = performance.now()
      const rendered = pdf.render(page_number, PAGE_DPI)
      const preview = with_thumbnail ? await thumbnail(rendered) : null
      const image = await encodePng(rendered)
      yield { image, page_number, thumbnail: preview, decode_ms: performance.now() - started }
    }
  } finally {
    pdf.close()
  }
}

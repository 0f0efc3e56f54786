import Type, { type Static } from 'typebox'
import { Defaulted, FreeObject, Nullable } from '../core/schema.ts'
import { documentText } from '../platform/media/document-text.ts'
import type { EmbeddingModel } from '../platform/models/models.ts'
import { type ChunkRule, joinPages, splitText } from './chunks.ts'
import { EMBED_BATCH_MAX, embedAll, loadModel } from './embedding.ts'
import {
  defineExtractor,
  type ExtractContext,
  type Extracted,
  RowError,
  type VectorOutput,
} from './extractor.ts'
import { missingShape, responseShapeFields } from './response-shape.ts'
import { toRowError } from './row-errors.ts'

const NAME = 'text_extractor'
const FIELDS = ['text', 'chunk_index', 'total_chunks']

/** A bound on what one row may cost; at 384 dimensions this many vectors take 77 MB. */
const CHUNKS_MAX = 50_000

const VECTOR: VectorOutput = {
  name: 'multilingual_e5_large_instruct_v1',
  aliases: ['embedding', 'text_embedding'],
  storage_name: 'text_extractor_v1_embedding',
  slot: 'text',
  upstream_model: 'intfloat/multilingual-e5-large-instruct',
  distance: 'cosine',
}

const Parameters = Type.Object(
  {
    extractor_type: Defaulted(Type.Literal(NAME), NAME),
    source_type: Defaulted(
      Type.Enum(['text', 'youtube'], { description: 'What the input holds: text, or the URL of a video.' }),
      'text',
    ),
    split_by: Defaulted(
      Type.Enum(['none', 'characters', 'words', 'sentences', 'paragraphs', 'pages', 'time_segments'], {
        description: 'The unit that chunks are counted in; none keeps the text whole.',
      }),
      'none',
    ),
    chunk_size: Defaulted(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'Units per chunk.' }),
      1000,
    ),
    chunk_overlap: Defaulted(
      Type.Integer({
        minimum: 0,
        maximum: 5000,
        description: 'Units that a chunk repeats of the one before.',
      }),
      0,
    ),
    segment_length_seconds: Defaulted(
      Type.Integer({ minimum: 30, maximum: 600, description: 'Seconds of captions per segment.' }),
      120,
    ),
    language: Defaulted(Type.String({ description: 'Language of the captions.' }), 'en'),
    extract_captions: Defaulted(
      Type.Boolean({ description: 'Captions of the video; false reads its description instead.' }),
      true,
    ),
    response_shape: Type.Optional(
      Nullable(
        Type.Union([Type.String(), FreeObject], { description: 'Fields that a language model fills.' }),
      ),
    ),
    llm_provider: Type.Optional(Nullable(Type.String())),
    llm_model: Type.Optional(Nullable(Type.String())),
    llm_api_key: Type.Optional(Nullable(Type.String())),
  },
  { additionalProperties: true },
)
type Parameters = Static<typeof Parameters>
type Context = ExtractContext<Parameters>

/** Cuts text, or the text layer of a file, into chunks and embeds each chunk. */
export const textExtractor = defineExtractor({
  name: NAME,
  version: 'v1',
  description: 'Splits text into chunks and embeds each chunk. Reads PDF, HTML, Word and Markdown files too.',
  inputs: {
    text: {
      description: 'The text, or a file with a text layer.',
      accepts: ['text', 'string', 'pdf'],
      required: true,
    },
  },
  parameters: Parameters,

  check({ split_by, source_type, chunk_size, chunk_overlap }) {
    if (chunk_overlap >= chunk_size)
      return { code: 'invalid_chunk_overlap', reason: 'chunk_overlap must be smaller than chunk_size.' }
    if (split_by === 'time_segments' && source_type !== 'youtube')
      return {
        code: 'invalid_extractor_parameters',
        reason: 'split_by "time_segments" needs captions: set source_type to "youtube".',
      }
    return null
  },

  output: ({ split_by, response_shape }) => ({
    text: { type: 'string', description: 'The text of this document or chunk.' },
    ...(split_by !== 'none' && {
      chunk_index: { type: 'integer', description: 'Place of the chunk, from 0.' },
      total_chunks: { type: 'integer', description: 'Chunks of the whole text.' },
    }),
    ...responseShapeFields(response_shape, FIELDS),
  }),
  vectors: () => [VECTOR],
  position_fields: ['chunk_index', 'start_time'],

  async *extract(context) {
    const chunks = await chunksOf(context)
    if (chunks.length === 0) return
    const model = await loadModel(context.models, VECTOR.slot)
    if (model instanceof RowError) throw model
    for (let first = 0; first < chunks.length; first += EMBED_BATCH_MAX) {
      const batch = chunks.slice(first, first + EMBED_BATCH_MAX)
      const vectors = await embedAll(model, batch.map(asInput), context.signal)
      for (const [i, text] of batch.entries())
        yield toDocument({ text, index: first + i, total: chunks.length }, vectors[i]!, model, context)
    }
  },

  async extractBatch(contexts) {
    const rows: (string[] | RowError)[] = []
    for (const context of contexts) rows.push(await chunksOf(context).catch(orAbort(context.signal)))
    const inputs = rows.flatMap((row) => (row instanceof RowError ? [] : row.map(asInput)))
    const [first] = contexts
    if (!first || inputs.length === 0) return rows.map((row) => (row instanceof RowError ? row : []))
    const model = await loadModel(first.models, VECTOR.slot)
    if (model instanceof RowError)
      return rows.map((row) => {
        if (row instanceof RowError) return row
        return row.length > 0 ? model : []
      })
    const vectors = await embedAll(model, inputs, first.signal)
    let next = 0
    return rows.map((row, i) => {
      if (row instanceof RowError) return row
      const own = vectors.slice(next, next + row.length)
      next += row.length
      return toDocuments(row, own, model, contexts[i]!)
    })
  },
})

const asInput = (text: string) => ({ text })

/** For `catch`: the error of a row, unless the job was canceled, which ends all rows. */
const orAbort = (signal: AbortSignal) => (error: unknown) => {
  signal.throwIfAborted()
  return toRowError(error)
}

function toDocuments(
  chunks: readonly string[],
  vectors: readonly (Float32Array | RowError)[],
  model: EmbeddingModel,
  context: Context,
): Extracted[] | RowError {
  const failed = vectors.find((vector) => vector instanceof RowError)
  if (failed) return failed
  return chunks.map((text, index) =>
    toDocument({ text, index, total: chunks.length }, vectors[index]!, model, context),
  )
}

type Chunk = { text: string; index: number; total: number }

function toDocument(
  { text, index, total }: Chunk,
  vector: Float32Array | RowError,
  model: EmbeddingModel,
  { parameters: { split_by, response_shape } }: Context,
): Extracted {
  if (vector instanceof RowError) throw vector
  const place = { chunk_index: index, total_chunks: total }
  const missing = missingShape(response_shape, FIELDS)
  return {
    // Clients read the place of a chunk at the root, older ones under `metadata`.
    fields: split_by === 'none' ? { text } : { text, ...place, metadata: { ...place, chunk_text: text } },
    vectors: { [VECTOR.name]: vector },
    ...(missing.length > 0 && { missing }),
    ...(model.truncates?.(text) && { metadata: { truncated: true } }),
  }
}

async function chunksOf({ input, parameters, signal }: Context): Promise<string[]> {
  signal.throwIfAborted()
  if (parameters.source_type === 'youtube')
    throw new RowError('dependency', 'This server has no reader for YouTube captions.', {
      recovery_suggestion: 'Send the transcript as text, or the video file to the multimodal extractor.',
    })
  const { text, hard_wrapped } = await readText(input, parameters as ChunkRule, signal)
  signal.throwIfAborted()
  const chunks = splitText(text.replaceAll('\0', '').toWellFormed(), parameters as ChunkRule, hard_wrapped)
  if (chunks.length > CHUNKS_MAX)
    throw new RowError('validation', `The text gives ${chunks.length} chunks; the limit is ${CHUNKS_MAX}.`, {
      recovery_suggestion: 'Raise chunk_size, or split the file.',
    })
  return chunks
}

async function readText(
  input: Context['input'],
  rule: ChunkRule,
  signal: AbortSignal,
): Promise<{ text: string; hard_wrapped: boolean }> {
  if (input.kind === 'text') return { text: input.text, hard_wrapped: false }
  if (input.kind === 'json') {
    if (typeof input.value === 'string') return { text: input.value, hard_wrapped: false }
    throw new RowError('validation', 'The mapped value is no text.')
  }
  const { pages, hard_wrapped } = await documentText(await input.bytes(), input.mime_type, signal)
  const text = joinPages(pages, rule)
  if (hard_wrapped && text.trim() === '')
    throw new RowError('validation', 'The PDF has no text layer: its pages are pictures.', {
      recovery_suggestion: 'Run text recognition (OCR) over it first, or use image_extractor on its pages.',
    })
  return { text, hard_wrapped }
}

import { ApiError, type Client } from '../client.ts'

/** What `kura ingest` puts files into: one bucket, a collection per kind of file, and two retrievers. */
export type Setup = { bucket: string; collections: string[]; retriever: string; look_alikes: string }

const path = (name: string) => encodeURIComponent(name)

/** Makes what is absent and leaves alone what is there. */
export async function ensureSetup(client: Client, bucket: string): Promise<Setup> {
  await ensure(client, `/v1/buckets/${path(bucket)}`, '/v1/buckets', {
    bucket_name: bucket,
    description: 'Files of a folder, made by kura ingest.',
    bucket_schema: {
      properties: {
        path: { type: 'string', required: true, description: 'Path inside the folder.' },
        name: { type: 'string' },
        modified_at: { type: 'datetime' },
        size_bytes: { type: 'integer' },
        text: { type: 'text' },
        image: { type: 'image' },
        pdf: { type: 'pdf' },
      },
    },
    unique_key: { fields: ['path'], default_policy: 'upsert' },
  })
  const { bucket_id } = await client.call<{ bucket_id: string }>('GET', `/v1/buckets/${path(bucket)}`)
  const kinds = [
    {
      name: `${bucket}-texts`,
      extractor: 'text_extractor',
      input: 'text',
      field: 'text',
      parameters: CHUNKS,
    },
    { name: `${bucket}-pdfs`, extractor: 'text_extractor', input: 'text', field: 'pdf', parameters: CHUNKS },
    {
      name: `${bucket}-images`,
      extractor: 'image_extractor',
      input: 'image',
      field: 'image',
      parameters: {},
    },
  ]
  for (const kind of kinds) await ensureCollection(client, bucket_id, { ...kind, passthrough: PASSTHROUGH })
  const texts = [kinds[0]!.name, kinds[1]!.name]
  await ensureRetriever(
    client,
    bucket,
    kinds.map((kind) => kind.name),
    HYBRID(texts),
  )
  await ensureRetriever(client, `${bucket}-look-alikes`, [kinds[2]!.name], LOOK_ALIKES)
  return {
    bucket,
    collections: kinds.map((kind) => kind.name),
    retriever: bucket,
    look_alikes: `${bucket}-look-alikes`,
  }
}

const PASSTHROUGH = ['path', 'name', 'modified_at']

/** Paragraph-sized pieces: short enough for one vector to mean one thing. */
const CHUNKS = { split_by: 'words', chunk_size: 120, chunk_overlap: 20 }

type Kind = {
  name: string
  extractor: string
  input: string
  field: string
  parameters: Record<string, unknown>
  /** Fields that documents take over. */
  passthrough: readonly string[]
}

export function ensureCollection(
  client: Client,
  bucket_id: string,
  { name, extractor, input, field, parameters, passthrough }: Kind,
): Promise<void> {
  return ensure(client, `/v1/collections/${path(name)}`, '/v1/collections', {
    collection_name: name,
    source: { type: 'bucket', bucket_ids: [bucket_id] },
    feature_extractor: {
      feature_extractor_name: extractor,
      version: 'v1',
      input_mappings: { [input]: field },
      parameters: { ...parameters, extractor_type: extractor },
      field_passthrough: passthrough.map((source_path) => ({ source_path })),
    },
  })
}

export const TEXT_URI = 'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1'
export const BM25_URI = 'mixpeek://text_extractor@v1/bm25_sparse'
export const IMAGE_URI = 'mixpeek://image_extractor@v1/google_siglip_base_v1'

/** Meaning and words fused by rank, over texts and PDFs; pictures take part by the words of their names. */
const HYBRID = (texts: string[]) => ({
  input_schema: { query: { type: 'text', required: true } },
  stages: [
    searchStage([
      { feature_uri: TEXT_URI, query: HYBRID_QUERY, top_k: 100, collection_identifiers: texts },
      { feature_uri: BM25_URI, query: HYBRID_QUERY, top_k: 100 },
    ]),
  ],
})

/** What a person typed. */
export const HYBRID_QUERY = { input_mode: 'text', value: '{{INPUT.query}}' }

const LOOK_ALIKES = {
  input_schema: { image: { type: 'image', required: true } },
  stages: [
    searchStage([
      { feature_uri: IMAGE_URI, query: { input_mode: 'content', value: '{{INPUT.image}}' }, top_k: 100 },
    ]),
  ],
}

export function searchStage(searches: object[]) {
  const parameters = { searches, fusion: 'rrf', final_top_k: 100 }
  return { stage_name: 'search', stage_type: 'filter', config: { stage_id: 'feature_search', parameters } }
}

export function ensureRetriever(
  client: Client,
  name: string,
  collection_identifiers: string[],
  definition: object,
): Promise<void> {
  return ensure(client, `/v1/retrievers/${path(name)}`, '/v1/retrievers', {
    retriever_name: name,
    collection_identifiers,
    ...definition,
  })
}

export async function ensure(client: Client, where: string, create: string, body: unknown): Promise<void> {
  if (await client.find(where)) return
  try {
    await client.call('POST', create, body)
  } catch (error) {
    // Another run made it in between: that is what we wanted.
    if (!(error instanceof ApiError && error.status === 409)) throw error
  }
}

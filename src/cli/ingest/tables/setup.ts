import type { Client } from '../../client.ts'
import {
  BM25_URI,
  ensure,
  ensureCollection,
  ensureRetriever,
  HYBRID_QUERY,
  IMAGE_URI,
  searchStage,
  TEXT_URI,
} from '../setup.ts'
import { type ColumnRule, isFile } from './columns.ts'
import { ROW_HASH, ROW_KEY } from './rows.ts'

/** A bucket for the rows, a collection for each column that an extractor reads, and a retriever over them. */
export async function ensureTableSetup(
  client: Client,
  bucket: string,
  { rules, keys }: { rules: readonly ColumnRule[]; keys: readonly string[] },
): Promise<{ collections: string[] }> {
  const unique = keys.length > 0 ? [...keys] : [ROW_KEY]
  await ensure(client, `/v1/buckets/${encodeURIComponent(bucket)}`, '/v1/buckets', {
    bucket_name: bucket,
    description: 'Rows of a table, made by kura ingest.',
    bucket_schema: {
      properties: {
        ...Object.fromEntries(rules.map(({ field, type }) => [field, { type }])),
        [ROW_HASH]: { type: 'string' },
        ...(keys.length === 0 && { [ROW_KEY]: { type: 'string' } }),
      },
    },
    unique_key: { fields: unique, default_policy: 'upsert' },
  })
  const { bucket_id } = await client.call<{ bucket_id: string }>(
    'GET',
    `/v1/buckets/${encodeURIComponent(bucket)}`,
  )
  const passthrough = rules.filter(({ type }) => !isFile(type)).map(({ field }) => field)
  const texts = rules.filter(({ type }) => type === 'text' || type === 'pdf')
  const images = rules.filter(({ type }) => type === 'image')
  const name = (rule: ColumnRule) => `${bucket}-${rule.field}`
  for (const rule of [...texts, ...images])
    await ensureCollection(client, bucket_id, {
      name: name(rule),
      extractor: rule.type === 'image' ? 'image_extractor' : 'text_extractor',
      input: rule.type === 'image' ? 'image' : 'text',
      field: rule.field,
      parameters: {},
      passthrough: rule.type === 'text' ? [...passthrough, rule.field] : passthrough,
    })
  const collections = [...texts, ...images].map(name)
  if (texts.length > 0)
    await ensureRetriever(client, bucket, collections, {
      input_schema: { query: { type: 'text', required: true } },
      stages: [
        searchStage([
          { feature_uri: TEXT_URI, query: HYBRID_QUERY, top_k: 100, collection_identifiers: texts.map(name) },
          { feature_uri: BM25_URI, query: HYBRID_QUERY, top_k: 100 },
        ]),
      ],
    })
  if (images.length > 0)
    await ensureRetriever(client, `${bucket}-look-alikes`, images.map(name), {
      input_schema: { image: { type: 'image', required: true } },
      stages: [
        searchStage([
          { feature_uri: IMAGE_URI, query: { input_mode: 'content', value: '{{INPUT.image}}' }, top_k: 100 },
        ]),
      ],
    })
  return { collections }
}

import type { Client } from '../../src/cli/client.ts'
import { type RowFailure, submit, waitFor } from '../../src/cli/ingest/process.ts'

/** Objects of one create request; the API takes no more. */
const REQUEST_OBJECTS_MAX = 100

export async function createBucket(
  client: Client,
  bucket_name: string,
  properties: Record<string, { type: string }>,
): Promise<string> {
  const { bucket_id } = await client.call<{ bucket_id: string }>('POST', '/v1/buckets', {
    bucket_name,
    bucket_schema: { properties },
  })
  return bucket_id
}

/** A collection of the bucket; `input_mappings` and the other members as the API has them. */
export async function createCollection(
  client: Client,
  collection_name: string,
  bucket_id: string,
  feature_extractor: { feature_extractor_name: string; [member: string]: unknown },
): Promise<string> {
  const { collection_id } = await client.call<{ collection_id: string }>('POST', '/v1/collections', {
    collection_name,
    source: { type: 'bucket', bucket_ids: [bucket_id] },
    feature_extractor: { version: 'v1', ...feature_extractor },
  })
  return collection_id
}

/** A retriever of one feature_search over one collection. */
export async function createRetriever(
  client: Client,
  retriever_name: string,
  collection: string,
  {
    inputs,
    ...parameters
  }: { inputs: Record<string, { type: string }>; searches: unknown[]; [member: string]: unknown },
): Promise<void> {
  await client.call('POST', '/v1/retrievers', {
    retriever_name,
    collection_identifiers: [collection],
    input_schema: inputs,
    stages: [
      { stage_name: 'search', stage_type: 'filter', config: { stage_id: 'feature_search', parameters } },
    ],
  })
}

/** Creates the objects in requests of 100, in order; returns their ids. */
export async function createObjects(
  client: Client,
  bucket_id: string,
  objects: readonly unknown[],
): Promise<string[]> {
  const ids: string[] = []
  for (let i = 0; i < objects.length; i += REQUEST_OBJECTS_MAX) {
    const answer = await client.call<{ succeeded: { object_id: string }[]; failed: { error: string }[] }>(
      'POST',
      `/v1/buckets/${bucket_id}/objects/batch`,
      { objects: objects.slice(i, i + REQUEST_OBJECTS_MAX) },
    )
    if (answer.failed.length > 0) throw new Error(`An object was refused: ${answer.failed[0]!.error}`)
    ids.push(...answer.succeeded.map(({ object_id }) => object_id))
  }
  return ids
}

export type Processed = { status: string; failures: RowFailure[]; took_s: number }

/** Submits one batch of these objects and waits for its end. */
export async function process(client: Client, bucket_id: string, object_ids: string[]): Promise<Processed> {
  const start_ms = performance.now()
  const batch = await submit(client, bucket_id, object_ids)
  const outcome = await waitFor(client, bucket_id, batch, () => undefined)
  return { ...outcome, took_s: (performance.now() - start_ms) / 1000 }
}

import type { Client } from '../client.ts'

/** Objects of one request; the API takes 100. */
export const REQUEST_OBJECTS_MAX = 100
/** Bytes of files in one request: enough to be quick, little enough to stay light in memory. */
export const REQUEST_BYTES_MAX = 8 * 1024 * 1024

export type CreateAnswer = {
  succeeded: { object_id: string }[]
  failed: { object_index: number; error: string }[]
}

/** Creates or overwrites objects by their unique keys; one that is refused fails alone. */
export async function createBatch(
  client: Client,
  bucket: string,
  objects: readonly unknown[],
): Promise<CreateAnswer> {
  const path = `/v1/buckets/${encodeURIComponent(bucket)}/objects/batch?policy=upsert`
  try {
    return await client.call<CreateAnswer>('POST', path, { objects })
  } catch (error) {
    // When every object fails the answer is a 400 that carries the same lists.
    const details = (error as { body?: { error?: { code?: string; details?: CreateAnswer } } }).body?.error
    if (details?.code === 'all_objects_failed' && details.details)
      return { succeeded: [], failed: details.details.failed }
    throw error
  }
}

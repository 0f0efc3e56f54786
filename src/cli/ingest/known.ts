import type { Client } from '../client.ts'

export type KnownObject = Record<string, unknown> & { object_id: string; status: string }

/** Every object of a bucket that passes the filters, page by page, with these members. */
export async function* eachObject(
  client: Client,
  bucket: string,
  select: readonly string[],
  filters: Readonly<Record<string, unknown>> = {},
): AsyncIterable<KnownObject> {
  let cursor: string | undefined
  do {
    const page = await client.call<{ results: KnownObject[]; pagination?: { next_cursor?: string } }>(
      'POST',
      `/v1/buckets/${encodeURIComponent(bucket)}/objects/list`,
      { limit: 1000, cursor, select, filters },
    )
    yield* page.results
    cursor = page.pagination?.next_cursor
  } while (cursor)
}

/** FAILED counts as done: the same bytes would fail again. */
export function isProcessed(object: KnownObject | undefined): boolean {
  return object !== undefined && ['COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED'].includes(object.status)
}

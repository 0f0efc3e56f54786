import { setImmediate as turn } from 'node:timers/promises'

/** Where a slice ends: the keys of its last row, in the order of the walk. */
export type Place = { created_at: string; id: string }

/** A table read in the order of an index, piece by piece. */
export type SliceSource<Row> = {
  /** The last of the `count` rows that follow; undefined when fewer follow. MUST touch no more than the index. */
  boundary(after: Place | null, count: number): Promise<Place | undefined>
  /** What the caller wants of the rows after one place up to another, `until` included; null: to the end. */
  rows(after: Place | null, until: Place | null): Promise<Row[]>
}

/** Rows of one slice: SQLite runs inside the process, and while it reads them nothing else is answered. */
export const SLICE_ROWS = 2000

/**
 * Walks through a table of any size in short reads with other work in between. Every row that is there
 * all the time is seen once; those written or removed during the walk are seen or not.
 */
export async function* inSlices<Row>(
  source: SliceSource<Row>,
  { signal, start = null }: { signal?: AbortSignal; start?: Place | null } = {},
): AsyncGenerator<Row[]> {
  let after: Place | null = start
  for (;;) {
    signal?.throwIfAborted()
    const until: Place | null = (await source.boundary(after, SLICE_ROWS)) ?? null
    yield await source.rows(after, until)
    if (until === null) return
    after = until
    await turn()
  }
}

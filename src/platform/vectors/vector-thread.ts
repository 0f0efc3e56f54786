// The worker thread of the in-process vector indexes. It has a database connection of its own.

import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { KuraError } from '../../core/errors.ts'
import { openDb } from '../db/db.ts'
import type { Candidates, Probe } from '../derived-index/filtered-search.ts'
import { IndexKeeper } from '../derived-index/index-keeper.ts'
import { type IndexCheck, KeptIndex } from '../derived-index/kept-index.ts'
import { removeStrays } from '../derived-index/remove-strays.ts'
import { sendLog, serveThread } from '../derived-index/thread-server.ts'
import { withWriter } from '../derived-index/trim-changes.ts'
import { normalized, SIMILARITIES } from './similarity.ts'
import { parseSignature, vectorFeed } from './vector-feed.ts'
import { VectorIndex } from './vector-index.ts'
import type { VectorRow } from './vector-rows.ts'
import { VectorSnapshots } from './vector-snapshots.ts'
import { trimVectorChanges } from './vector-store.ts'

export type VectorThreadData = { database_url: string; folder: string }

type Query = { vector_index_id: number; vector: Float32Array; k: number; collection_ids: readonly string[] }

export type VectorMethods = {
  best: { takes: Query; returns: Candidates }
  probe: { takes: Query; returns: Probe }
  among: { takes: Query & { document_seqs: readonly number[] }; returns: Candidates }
  check: { takes: { vector_index_id: number; repair: boolean }; returns: IndexCheck | undefined }
  indexes: { takes: null; returns: number[] }
  flush: { takes: null; returns: undefined }
}

const port = parentPort!
const { database_url, folder } = workerData as VectorThreadData
const db = openDb(database_url, { durability: 'normal', read_only: true, pool_max: 2 })
const warn = (facts: Record<string, unknown>, message: string) => sendLog(port, 'warn', facts, message)

const keeper = new IndexKeeper<VectorRow, VectorIndex>(openIndex, (error) =>
  warn({ reason: String(error) }, 'Background work on a vector index failed.'),
)

function openIndex(vector_index_id: number): KeptIndex<VectorRow, VectorIndex> {
  const snapshots = new VectorSnapshots(join(folder, String(vector_index_id)))
  return new KeptIndex({
    feed: vectorFeed(db, vector_index_id),
    snapshots,
    create(signature) {
      const { dimensions, distance } = parseSignature(signature)
      return VectorIndex.empty(dimensions, SIMILARITIES[distance])
    },
    trim: (up_to) => withWriter(database_url, (db) => trimVectorChanges(db, vector_index_id, up_to)),
    warn: (facts, message) => warn({ vector_index_id, ...facts }, message),
  })
}

const NOTHING: Candidates = VectorIndex.empty(1, SIMILARITIES.cosine).search(new Float32Array(1), 1, [])

async function search<T extends Probe>(
  { vector_index_id, vector }: Query,
  run: (index: VectorIndex, query: Float32Array) => T,
): Promise<T | typeof NOTHING> {
  const index = await keeper.get(vector_index_id)
  if (!index) return NOTHING
  const { dimensions, similarity } = index.rows
  if (vector.length !== dimensions)
    throw new KuraError('vector_dimension_mismatch', { found: vector.length, expected: dimensions })
  return run(index, similarity.normalized ? normalized(vector) : vector)
}

/** Every index that the database knows. */
async function indexIds(): Promise<number[]> {
  const rows = await db
    .selectFrom('vector_indexes')
    .select('vector_index_id')
    .orderBy('vector_index_id')
    .execute()
  return rows.map((row) => row.vector_index_id)
}

serveThread<VectorMethods>(port, {
  best: (query) => search(query, (index, vector) => index.search(vector, query.k, query.collection_ids)),
  probe: (query) => search(query, (index, vector) => index.probe(vector, query.k, query.collection_ids)),
  among: (query) =>
    search(query, (index, vector) => index.among(vector, query.k, query.collection_ids, query.document_seqs)),
  check: ({ vector_index_id, repair }) => keeper.check(vector_index_id, { repair }),
  indexes: indexIds,
  async flush() {
    await keeper.save()
    return undefined
  },
})

indexIds()
  .then((ids) => removeStrays(folder, ids))
  .catch((error) =>
    warn({ reason: String(error) }, 'Files of removed vector indexes could not be cleared away.'),
  )

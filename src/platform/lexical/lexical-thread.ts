// The worker thread of the in-process keyword indexes. It has a database connection of its own.

import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { openDb } from '../db/db.ts'
import type { Candidates } from '../derived-index/filtered-search.ts'
import { IndexKeeper } from '../derived-index/index-keeper.ts'
import { type IndexCheck, KeptIndex } from '../derived-index/kept-index.ts'
import { removeStrays } from '../derived-index/remove-strays.ts'
import { sendLog, serveThread } from '../derived-index/thread-server.ts'
import { TopK } from '../derived-index/top-k.ts'
import { withWriter } from '../derived-index/trim-changes.ts'
import { lexicalFeed } from './lexical-feed.ts'
import { LexicalIndex } from './lexical-index.ts'
import { LexicalSnapshots } from './lexical-snapshots.ts'
import { trimLexicalChanges } from './lexical-store.ts'
import type { TextRow } from './text-table.ts'

export type LexicalThreadData = { database_url: string; folder: string }

type Query = { collection_seqs: readonly number[]; query: string; k: number }

export type LexicalMethods = {
  best: { takes: Query; returns: Candidates }
  among: { takes: Query & { document_seqs: readonly number[] }; returns: Candidates }
  check: { takes: { collection_seq: number; repair: boolean }; returns: IndexCheck | undefined }
  indexes: { takes: null; returns: number[] }
  flush: { takes: null; returns: undefined }
}

const port = parentPort!
const { database_url, folder } = workerData as LexicalThreadData
const db = openDb(database_url, { durability: 'normal', read_only: true, pool_max: 2 })
const warn = (facts: Record<string, unknown>, message: string) => sendLog(port, 'warn', facts, message)

const keeper = new IndexKeeper<TextRow, LexicalIndex>(openIndex, (error) =>
  warn({ reason: String(error) }, 'Background work on a keyword index failed.'),
)

function openIndex(collection_seq: number): KeptIndex<TextRow, LexicalIndex> {
  return new KeptIndex({
    feed: lexicalFeed(db, collection_seq),
    snapshots: new LexicalSnapshots(join(folder, `${collection_seq}.snapshot`)),
    create: () => new LexicalIndex(),
    trim: (up_to) => withWriter(database_url, (db) => trimLexicalChanges(db, collection_seq, up_to)),
    warn: (facts, message) => warn({ collection_seq, ...facts }, message),
  })
}

/** Runs the search in every collection and merges by score. */
async function search(
  { collection_seqs, k }: Query,
  run: (index: LexicalIndex) => Candidates,
): Promise<Candidates> {
  const indexes = await Promise.all([...new Set(collection_seqs)].map((seq) => keeper.get(seq)))
  const found = indexes.flatMap((index) => (index ? [run(index)] : []))
  if (found.length === 1) return found[0]!
  const total = found.reduce((sum, one) => sum + one.total, 0)
  const best = new TopK(k)
  for (const { seqs, scores } of found) for (const [i, seq] of seqs.entries()) best.offer(seq, scores[i]!)
  return { ...best.ranked(), plan: 'bm25', complete: best.size < k, total }
}

/** Every index that the database knows. */
async function indexIds(): Promise<number[]> {
  const rows = await db
    .selectFrom('lexical_indexes')
    .select('collection_seq')
    .orderBy('collection_seq')
    .execute()
  return rows.map((row) => row.collection_seq)
}

serveThread<LexicalMethods>(port, {
  best: (query) => search(query, (index) => index.search(query.query, query.k)),
  among: (query) => search(query, (index) => index.among(query.query, query.k, query.document_seqs)),
  check: ({ collection_seq, repair }) => keeper.check(collection_seq, { repair }),
  indexes: indexIds,
  async flush() {
    await keeper.save()
    return undefined
  },
})

indexIds()
  .then((ids) => removeStrays(folder, ids))
  .catch((error) =>
    warn({ reason: String(error) }, 'Files of removed keyword indexes could not be cleared away.'),
  )

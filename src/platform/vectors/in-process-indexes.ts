import { join } from 'node:path'
import { KuraError } from '../../core/errors.ts'
import { type CandidateSource, filteredSearch, matchesOf } from '../derived-index/filtered-search.ts'
import { type IndexLogger, ThreadClient } from '../derived-index/thread-client.ts'
import { isFinite32 } from './similarity.ts'
import type { VectorMethods, VectorThreadData } from './vector-thread.ts'
import type { VectorCheck, VectorIndexes, VectorSearch, VectorSearchResult } from './vectors.ts'

/** Snapshots at the end of a process may take this long; what is not saved is read anew. */
const CLOSE_TIMEOUT_MS = 15_000

type Options = { database_url: string; home: string; logger?: IndexLogger }

/** Vector indexes in a worker thread of this process, following either database. */
export function createVectorIndexes(options: Options): InProcessIndexes {
  return new InProcessIndexes(options)
}

/**
 * This half lives in the thread of its caller: it checks searches and talks to filters, which read
 * the database through the caller's connection. The other half (vector-thread.ts) holds the vectors.
 */
export class InProcessIndexes implements VectorIndexes {
  readonly thread: ThreadClient<VectorMethods>

  constructor({ database_url, home, logger }: Options) {
    const data: VectorThreadData = { database_url, folder: join(home, 'index', 'vectors') }
    this.thread = new ThreadClient({ entry: new URL('./vector-thread.ts', import.meta.url), data, logger })
  }

  async search(search: VectorSearch): Promise<VectorSearchResult> {
    const { vector_index_id, vector, top_k, collection_ids, filter, signal } = search
    signal?.throwIfAborted()
    if (!isFinite32(vector)) throw new KuraError('vector_invalid')
    const query = { vector_index_id, vector, collection_ids }
    const source: CandidateSource = {
      probe: (k) => this.thread.call('probe', { ...query, k }),
      among: (document_seqs, k) => this.thread.call('among', { ...query, k, document_seqs }),
    }
    if (filter) return filteredSearch(source, filter, top_k, signal)
    const candidates = await this.thread.call('best', { ...query, k: top_k })
    signal?.throwIfAborted()
    return { matches: matchesOf(candidates), plan: candidates.plan }
  }

  async check({ repair }: { repair: boolean }): Promise<VectorCheck[]> {
    const checks: VectorCheck[] = []
    for (const vector_index_id of await this.thread.call('indexes', null)) {
      const check = await this.thread.call('check', { vector_index_id, repair })
      if (check) checks.push({ vector_index_id, ...check })
    }
    return checks
  }

  async flush(): Promise<void> {
    if (this.thread.started) await this.thread.call('flush', null)
  }

  close(): Promise<void> {
    return this.thread.close(() => this.flush(), CLOSE_TIMEOUT_MS)
  }
}

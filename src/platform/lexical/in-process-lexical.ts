import { join } from 'node:path'
import { type CandidateSource, filteredSearch, matchesOf } from '../derived-index/filtered-search.ts'
import { type IndexLogger, ThreadClient } from '../derived-index/thread-client.ts'
import type { VectorMatch } from '../vectors/vectors.ts'
import type { LexicalCheck, LexicalIndexes, TextSearch } from './lexical.ts'
import type { LexicalMethods, LexicalThreadData } from './lexical-thread.ts'

/** Snapshots at the end of a process may take this long; what is not saved is read anew. */
const CLOSE_TIMEOUT_MS = 15_000
/** Longer queries are cut: their first words decide, see QUERY_WORDS_MAX. */
const QUERY_LENGTH_MAX = 32_768

type Options = { database_url: string; home: string; logger?: IndexLogger }

/**
 * Keyword indexes in a worker thread of this process, following either database. In memory, because
 * SQLite's FTS5 scores every document that holds a common word: 16 to 29 ms over 100,000 texts,
 * where this takes less than one (bench/lexical-index.ts).
 */
export function createLexicalIndexes(options: Options): InProcessLexical {
  return new InProcessLexical(options)
}

/** This half talks to filters, which read the database through the caller's connection. */
export class InProcessLexical implements LexicalIndexes {
  readonly thread: ThreadClient<LexicalMethods>

  constructor({ database_url, home, logger }: Options) {
    const data: LexicalThreadData = { database_url, folder: join(home, 'index', 'lexical') }
    this.thread = new ThreadClient({ entry: new URL('./lexical-thread.ts', import.meta.url), data, logger })
  }

  async search({ collection_seqs, query, top_k, filter, signal }: TextSearch): Promise<VectorMatch[]> {
    signal?.throwIfAborted()
    const cut = { collection_seqs, query: query.slice(0, QUERY_LENGTH_MAX) }
    const source: CandidateSource = {
      probe: (k) => this.thread.call('best', { ...cut, k }),
      among: (document_seqs, k) => this.thread.call('among', { ...cut, k, document_seqs }),
    }
    if (filter) return (await filteredSearch(source, filter, top_k, signal)).matches
    const candidates = await this.thread.call('best', { ...cut, k: top_k })
    signal?.throwIfAborted()
    return matchesOf(candidates)
  }

  async check({ repair }: { repair: boolean }): Promise<LexicalCheck[]> {
    const checks: LexicalCheck[] = []
    for (const collection_seq of await this.thread.call('indexes', null)) {
      const check = await this.thread.call('check', { collection_seq, repair })
      if (check) checks.push({ collection_seq, ...check })
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

// Measures keyword search by itself, beside SQLite's FTS5: node bench/lexical-index.ts [texts] [words a text]

import { DatabaseSync } from 'node:sqlite'
import { inTransaction } from '../src/platform/db/db.ts'
import { createLexicalIndexes } from '../src/platform/lexical/in-process-lexical.ts'
import { putText } from '../src/platform/lexical/lexical-store.ts'
import { makeCollection, searchDatabase, seededRandom } from '../tests/support/vector-rows.ts'
import { latencies, report } from './support/measure.ts'

const TEXTS = Number(process.argv[2] ?? 100_000)
const WORDS = Number(process.argv[3] ?? 64)
const QUERIES = 300
/** Distinct words; their frequency falls with their rank, as in language (Zipf). */
const VOCABULARY = 50_000

const random = seededRandom(1)
/** A word of rank r: the first are about as common as "the" and "of". */
const word = () => spelled(Math.floor(VOCABULARY ** random()))
const text = (words: number) => Array.from({ length: words }, word).join(' ')

const database = await searchDatabase('sqlite')
const { db, url, home } = database
const collection_seq = await makeCollection(db, 'col_a')
const texts = Array.from({ length: TEXTS }, (_, i) => ({ document_seq: i + 1, text: text(WORDS) }))
const queries = Array.from({ length: QUERIES }, () => text(4))
/** Four of the ten commonest words: the worst case of any engine. */
const common = Array.from({ length: QUERIES }, () =>
  Array.from({ length: 4 }, () => spelled(1 + Math.floor(random() * 10))).join(' '),
)

let started = performance.now()
for (let i = 0; i < TEXTS; i += 2000)
  await inTransaction(db, (trx) => putText(trx, collection_seq, texts.slice(i, i + 2000)))
report('texts written to SQLite', TEXTS / ((performance.now() - started) / 1000), 'texts/s')

let indexes = createLexicalIndexes({ database_url: url, home })
const search = (query: string, top_k = 10) =>
  indexes.search({ collection_seqs: [collection_seq], query, top_k })
started = performance.now()
await search('none')
report('index built from the database', performance.now() - started, 'ms')
report('RSS', process.memoryUsage().rss / 1e6, 'MB')
await new Promise((resolve) => setTimeout(resolve, 3000))

await measure('four words, top 10', queries)
await measure('four words, top 1000', queries, 1000)
await measure('four common words, top 10', common)
await measureConcurrent('four words, top 10', queries, 16)

started = performance.now()
await indexes.close()
report('snapshot written', performance.now() - started, 'ms')
indexes = createLexicalIndexes({ database_url: url, home })
started = performance.now()
await search('none')
report('snapshot read, first search', performance.now() - started, 'ms')
await indexes.close()
await database.close()

compareFts5()

async function measure(name: string, asked: readonly string[], top_k = 10): Promise<void> {
  const times: number[] = []
  for (const query of asked) {
    const begun = performance.now()
    await search(query, top_k)
    times.push(performance.now() - begun)
  }
  report(name, ...latencies(times))
}

async function measureConcurrent(name: string, asked: readonly string[], clients: number): Promise<void> {
  const times: number[] = []
  const before = process.cpuUsage()
  const begun = performance.now()
  const client = async (first: number) => {
    for (let i = 0; i < 150; i += 1) {
      const start = performance.now()
      await search(asked[(i * 17 + first) % asked.length]!)
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, i) => client(i)))
  const rate = times.length / ((performance.now() - begun) / 1000)
  const { user, system } = process.cpuUsage(before)
  const cost_us = ((user + system) / times.length).toFixed(0)
  report(
    `${name}, ${clients} clients, ${rate.toFixed(0)} searches/s, ${cost_us} µs of processor each`,
    ...latencies(times),
  )
}

/** What the same search costs in FTS5, the alternative that needs no memory. */
function compareFts5(): void {
  const fts = new DatabaseSync(':memory:')
  fts.exec(
    `create virtual table texts using fts5(text, content='', contentless_delete=1, tokenize='porter unicode61')`,
  )
  const insert = fts.prepare('insert into texts (rowid, text) values (?, ?)')
  fts.exec('begin')
  for (const { document_seq, text: value } of texts) insert.run(document_seq, value)
  fts.exec('commit')
  const select = fts.prepare(
    'select rowid, bm25(texts) as score from texts where texts match ? order by rank limit 10',
  )
  for (const [name, asked] of [
    ['four words', queries],
    ['four common words', common],
  ] as const) {
    const times = asked.slice(0, 60).map((query) => {
      const begun = performance.now()
      select.all(query.split(' ').join(' OR '))
      return performance.now() - begun
    })
    report(`FTS5, ${name}, top 10`, ...latencies(times))
  }
}

/** A number as a pronounceable word. */
function spelled(rank: number): string {
  let rest = rank
  let spelling = ''
  do {
    spelling += 'bdfgklmnprstvz'[rest % 14]! + 'aeiou'[Math.floor(rest / 14) % 5]!
    rest = Math.floor(rest / 70)
  } while (rest > 0)
  return spelling
}

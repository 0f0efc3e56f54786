// Objects of one bucket as it grows to a million: creates, memory, lists, search and aggregation through HTTP.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { seededRandom } from '../tests/support/vector-rows.ts'
import { remove, temporaryFolder } from './support/cleanup.ts'
import { load } from './support/load.ts'
import { createBucket } from './support/pipeline.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { type BenchServer, withServer } from './support/server.ts'
import { percentile } from './support/statistics.ts'
import { familyOf, untilAtRest } from './support/usage.ts'

const SIZES = [10_000, 100_000, 1_000_000].map((size) => scaled(size, 500))
const BATCH = 100
const CLIENTS = 4
const SINGLE_CLIENTS = 16
const SECONDS = scaled(8, 2)
/** A question is asked so often, or for so long. */
const ASKED_MAX = 100
const ASKED_MS = 8000
const AT_REST_MS = 60_000

const WORDS = ['amber', 'birch', 'cedar', 'delta', 'ember', 'fjord', 'grove', 'heron', 'islet', 'jasper']
const CATEGORIES = ['shoes', 'bags', 'coats', 'hats', 'belts', 'socks', 'shirts', 'gloves']
const FIRST_MS = Date.parse('2025-01-01T00:00:00Z')

/** About 330 bytes of fields, as a catalogue has them. Every object has a `sku` of its own. */
function objectOf(n: number): object {
  const random = seededRandom(n + 1)
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)]!
  const description = Array.from({ length: 20 }, () => pick(WORDS)).join(' ')
  return {
    sku: `sku-${String(n).padStart(8, '0')}`,
    title: `${pick(WORDS)} ${pick(CATEGORIES)}`,
    description,
    price: Math.round(random() * 10_000) / 100,
    sold_at: new Date(FIRST_MS + Math.floor(random() * 365) * 86_400_000).toISOString(),
    metadata: {
      category: pick(CATEGORIES),
      tags: [pick(WORDS), pick(WORDS)],
      stock: Math.floor(random() * 50),
    },
  }
}

type Question = { what: string; path: 'list' | 'aggregate'; body: (n: number, size: number) => object }

const groupBy = (field: string) => ({
  group_by: [{ field }],
  aggregations: [
    { function: 'count', alias: 'n' },
    { function: 'avg', field: 'price', alias: 'price' },
  ],
  sort_by: 'n',
})

const QUESTIONS: readonly Question[] = [
  { what: 'list, ten newest', path: 'list', body: () => ({}) },
  { what: 'list, cursor page of 100 newest', path: 'list', body: () => ({ limit: 100 }) },
  {
    what: 'filter, one of eight matches',
    path: 'list',
    body: () => ({ filters: { 'metadata.category': 'hats' } }),
  },
  {
    what: 'filter, one match in the whole bucket',
    path: 'list',
    body: (n, size) => ({ filters: { sku: `sku-${String((n * 7919) % size).padStart(8, '0')}` } }),
  },
  { what: 'search, most match', path: 'list', body: () => ({ search: 'cedar' }) },
  {
    what: 'search, one match in the whole bucket',
    path: 'list',
    body: (n, size) => ({ search: String((n * 7919) % size).padStart(8, '0') }),
  },
  { what: 'sorted by price', path: 'list', body: () => ({ sort: { field: 'price', direction: 'desc' } }) },
  { what: 'aggregate by category', path: 'aggregate', body: () => groupBy('metadata.category') },
]

export async function run(): Promise<void> {
  const report = new Report(
    'objects',
    `One bucket growing to ${SIZES.at(-1)!.toLocaleString('en-US')} objects`,
  )
  await withServer({ KURA_ENGINE_PROCESSES: '0' }, async (server) => {
    const bucket_id = await createBucket(server.client, 'catalogue', { title: { type: 'string' } })
    const path = `/v1/buckets/${bucket_id}/objects`
    let count = 0
    for (const size of SIZES) {
      const rate = await fill(server, path, count, size)
      count = size
      report.add({
        what: `created in requests of ${BATCH} on the way to ${size.toLocaleString('en-US')}`,
        value: rate,
        unit: '/s',
        ...(size === SIZES.at(-1) && {
          beside: { name: `SQLite alone, ${BATCH} rows a commit`, value: rawInserts(BATCH) },
        }),
      })
      await untilAtRest(server.pid, AT_REST_MS)
      const { own_mb, mapped_mb } = memoryOf(server.pid)
      report.add({
        what: `memory of the server at ${size.toLocaleString('en-US')}`,
        value: own_mb,
        unit: 'MB',
        note: `and ${mapped_mb.toFixed(0)} MB of files mapped by its processes, which the system takes back when it needs them`,
      })
      for (const question of QUESTIONS) await ask(report, server, path, question, size)
    }
    await addSingles(report, server, path, count)
  })
  report.note(
    `Durable commits; ${CLIENTS} clients for requests of ${BATCH}, ${SINGLE_CLIENTS} for single ones; questions one at a time, up to ${ASKED_MAX} each.`,
  )
  await report.finish()
}

/** Creates objects until there are `size`; returns how many a second. */
async function fill(server: BenchServer, path: string, from: number, size: number): Promise<number> {
  let next = from
  const start_ms = performance.now()
  const client = async () => {
    while (next < size) {
      const first = next
      next += BATCH
      const objects = Array.from({ length: Math.min(BATCH, size - first) }, (_, i) => objectOf(first + i))
      await server.client.call('POST', `${path}/batch`, { objects })
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return (size - from) / ((performance.now() - start_ms) / 1000)
}

async function ask(
  report: Report,
  server: BenchServer,
  path: string,
  { what, path: operation, body }: Question,
  size: number,
): Promise<void> {
  const times_ms: number[] = []
  const end_ms = performance.now() + ASKED_MS
  for (let n = 1; n <= ASKED_MAX && (n <= 3 || performance.now() < end_ms); n += 1) {
    const start_ms = performance.now()
    await server.client.call('POST', `${path}/${operation}`, body(n, size))
    times_ms.push(performance.now() - start_ms)
  }
  report.add({
    what: `${what}, of ${size.toLocaleString('en-US')}`,
    value: percentile(times_ms, 0.5),
    unit: 'ms',
    note: `p95 ${percentile(times_ms, 0.95).toFixed(2)} ms, asked ${times_ms.length} times`,
    ...(operation === 'aggregate' && {
      beside: { name: 'one SQL statement', value: rawAggregate(server.home) },
    }),
  })
}

async function addSingles(
  report: Report,
  { url, key, pid }: BenchServer,
  path: string,
  from: number,
): Promise<void> {
  const singles = await load({
    url: url + path,
    headers: { authorization: `Bearer ${key}` },
    bodies: (n) => JSON.stringify(objectOf(from + n)),
    clients: SINGLE_CLIENTS,
    seconds: SECONDS,
    pid,
  })
  report.add({
    what: `single creates into a bucket of ${from.toLocaleString('en-US')}`,
    value: singles.rate,
    unit: '/s',
    beside: { name: 'SQLite alone, a commit a row', value: rawInserts(1) },
    note: `p95 ${singles.p95_ms.toFixed(1)} ms${singles.failures > 0 ? `, ${singles.failures} FAILED` : ''}`,
  })
}

/** Rows a second that SQLite alone writes with as durable commits: what the disk allows. */
function rawInserts(rows: number): number {
  const folder = temporaryFolder()
  const db = new DatabaseSync(join(folder, 'ceiling.db'))
  db.exec(
    'pragma journal_mode = wal; pragma synchronous = full; create table t (id text primary key, fields text)',
  )
  const insert = db.prepare('insert into t values (?, ?)')
  const fields = JSON.stringify(objectOf(0))
  const start_ms = performance.now()
  let count = 0
  while (performance.now() - start_ms < 1000) {
    db.exec('begin')
    for (let i = 0; i < rows; i += 1) insert.run(`obj_${count++}`, fields)
    db.exec('commit')
  }
  const rate = count / ((performance.now() - start_ms) / 1000)
  db.close()
  remove(folder)
  return rate
}

/** The same grouping as one statement on the server's own database, which answers nothing else meanwhile. */
function rawAggregate(home: string): number {
  const db = new DatabaseSync(join(home, 'kura.db'), { readOnly: true })
  const start_ms = performance.now()
  db.prepare(
    `select json_extract(fields, '$.metadata.category') as category, count(*), avg(json_extract(fields, '$.price'))
     from objects group by 1 order by 2 desc`,
  ).all()
  const took_ms = performance.now() - start_ms
  db.close()
  return took_ms
}

/** Own memory and mapped files of a process and its descendants; a file that several map counts for each. */
function memoryOf(pid: number): { own_mb: number; mapped_mb: number } {
  const statuses = familyOf(pid).map((one) => readFileSync(`/proc/${one}/status`, 'utf8'))
  const sum = (name: string) =>
    statuses.reduce(
      (total, text) => total + Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? 0),
      0,
    )
  return { own_mb: sum('RssAnon') / 1024, mapped_mb: sum('RssFile') / 1024 }
}

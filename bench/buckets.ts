// Lists of buckets through HTTP, with 100,000 of them in one namespace.
import { ceiling } from './support/ceiling.ts'
import { remove, temporaryFolder } from './support/cleanup.ts'
import { type Load, load } from './support/load.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { seedBuckets } from './support/seed-buckets.ts'
import { type BenchServer, startServer } from './support/server.ts'

const BUCKETS = scaled(100_000, 2000)
const CLIENTS = 16
const SECONDS = scaled(8, 2)

type Case = {
  what: string
  /** The n-th body. */
  body: (n: number) => object
  target?: { min: number }
}

/** Ever different phrases, so that nothing that is remembered about one helps the next. */
const number = (n: number) => String((n * 7919) % BUCKETS).padStart(6, '0')

const CASES: readonly Case[] = [
  { what: 'ten newest', body: () => ({ limit: 10 }), target: { min: 15_000 } },
  {
    what: 'substring search, always another phrase, 1 match',
    body: (n) => ({ search: number(n) }),
    target: { min: 1000 },
  },
  {
    what: 'substring search, always another phrase, about 100 matches',
    body: (n) => ({ search: `-${number(n).slice(0, 4)}` }),
    target: { min: 1000 },
  },
  { what: 'substring search, one phrase, half of all match', body: () => ({ search: 'us-' }) },
  { what: 'glob over a whole name', body: (n) => ({ search: `*-${number(n)}` }) },
  { what: 'filter by name', body: (n) => ({ filters: { bucket_name: `VISION-invoices-${number(n)}` } }) },
  {
    what: 'one filter on metadata and objects, sorted by size',
    body: () => ({
      filters: {
        AND: [
          { field: 'metadata.region', value: 'us-east' },
          { field: 'object_count', operator: 'gt', value: 500 },
        ],
      },
      sort: { field: 'total_size_bytes', direction: 'desc' },
    }),
  },
  { what: 'sorted by name', body: () => ({ sort: { field: 'bucket_name' } }) },
  { what: 'page at offset 1000', body: () => ({ offset: 1000 }) },
]

export async function run(): Promise<void> {
  const report = new Report('buckets', `Lists of ${BUCKETS.toLocaleString('en-US')} buckets`)
  const home = temporaryFolder()
  const env = { KURA_ENGINE_PROCESSES: '0' }
  try {
    await (await startServer({ home, env })).stop()
    await seedBuckets(home, BUCKETS)
    const server = await startServer({ home, env })
    try {
      await warmUp(server)
      for (const one of CASES) await addCase(report, server, one)
      await addWhileWriting(report, server)
    } finally {
      await server.close()
    }
  } finally {
    remove(home)
  }
  report.note(`${CLIENTS} clients, ${SECONDS} s a figure, ten buckets a page; beside each an empty handler.`)
  await report.finish()
}

/** A server that has answered for a while is what is measured. */
async function warmUp(server: BenchServer): Promise<void> {
  await load({
    url: `${server.url}/v1/buckets/list`,
    headers: { authorization: `Bearer ${server.key}` },
    bodies: CASES.map(({ body }, n) => JSON.stringify(body(n))),
    clients: CLIENTS,
    seconds: SECONDS,
  })
}

async function addCase(report: Report, server: BenchServer, { what, body, target }: Case): Promise<void> {
  const options = {
    headers: { authorization: `Bearer ${server.key}` },
    bodies: (n: number) => JSON.stringify(body(n)),
    clients: CLIENTS,
    seconds: SECONDS,
  }
  const empty = await ceiling(options)
  const measured = await load({ ...options, url: `${server.url}/v1/buckets/list` })
  addLoad(report, what, measured, { empty, target })
}

/** Every write of the namespace makes what is remembered worthless: the worst case of a common phrase. */
async function addWhileWriting(report: Report, server: BenchServer): Promise<void> {
  const written = await server.client.call<{ bucket_id: string }>('POST', '/v1/buckets', {
    bucket_name: 'written all the time',
    bucket_schema: { properties: {} },
  })
  let writes = 0
  let isOver = false
  const writing = (async () => {
    for (; !isOver; writes += 1)
      await server.client.call('PATCH', `/v1/buckets/${written.bucket_id}`, { metadata: { writes } })
  })()
  for (const [what, body] of [
    ['ten newest, while buckets are written', { limit: 10 }],
    ['substring search, half of all match, while buckets are written', { search: 'us-' }],
  ] as const) {
    const measured = await load({
      url: `${server.url}/v1/buckets/list`,
      headers: { authorization: `Bearer ${server.key}` },
      bodies: [JSON.stringify(body)],
      clients: CLIENTS,
      seconds: SECONDS,
    })
    addLoad(report, what, measured, {})
  }
  isOver = true
  await writing
  report.note(`${writes.toLocaleString('en-US')} writes beside the last two figures.`)
}

function addLoad(
  report: Report,
  what: string,
  { rate, p50_ms, p99_ms, failures }: Load,
  { empty, target }: { empty?: Load; target?: { min: number } | undefined },
): void {
  report.add({
    what,
    value: rate,
    unit: 'req/s',
    ...(target && { target }),
    ...(empty && { beside: { name: 'empty handler', value: empty.rate } }),
    note: `p50 ${p50_ms.toFixed(2)} ms, p99 ${p99_ms.toFixed(2)} ms${failures > 0 ? `, ${failures} FAILED` : ''}`,
  })
}

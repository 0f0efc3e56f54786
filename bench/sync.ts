// A sync of an S3 store (versitygw behind a counting proxy): the first run, one with nothing new, one with changes.
import { S3_SERVER_MISSING } from '../tests/support/s3-server.ts'
import {
  type Call,
  createS3Sync,
  fillStore,
  keyOf,
  type Run,
  startSourceStore,
} from '../tests/support/s3-sync.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { startServer } from './support/server.ts'

const FILES = scaled(10_000, 200)
const CHANGED = FILES / 100
const TIMEOUT_MS = 900_000

export async function run(): Promise<void> {
  if (S3_SERVER_MISSING) throw new Error(S3_SERVER_MISSING)
  const report = new Report('sync', `Sync of ${FILES.toLocaleString('en-US')} files from an S3 store`)
  const store = await startSourceStore()
  const server = await startServer({ env: { KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' } })
  try {
    await fillStore(store, FILES)
    const call: Call = (method, path, body) => server.client.call(method as 'GET', path, body)
    const sync = await createS3Sync(call, store)
    const measure = async (what: string, sync_job_id: string) => {
      const run = await sync.ended(sync_job_id, TIMEOUT_MS)
      if (run.status !== 'COMPLETED') throw new Error(`${what}: ${JSON.stringify(run)}`)
      report.add({ what: `${what}: files`, value: FILES / seconds(run), unit: 'per s' })
      const reads = store.takeReads()
      report.add({ what: `${what}: files read`, value: reads.length })
      report.add({ what: `${what}: files read twice`, value: reads.length - new Set(reads).size })
      return run
    }
    await measure('first run', (await sync.newestRun()).sync_job_id)
    await measure('nothing new', await sync.trigger())
    for (let i = 0; i < CHANGED; i++) await store.put(keyOf(i), `changed content of file ${i}`)
    for (let i = CHANGED; i < 2 * CHANGED; i++) await store.remove(keyOf(i))
    for (let i = 2 * CHANGED; i < 3 * CHANGED; i++) {
      await store.put(`moved/${i}.txt`, `content of file ${i}`)
      await store.remove(keyOf(i))
    }
    const third = await measure(
      `${CHANGED} changed, ${CHANGED} deleted, ${CHANGED} renamed`,
      await sync.trigger(),
    )
    report.note(`Third run: ${JSON.stringify(third.counts)}; objects now: ${await sync.objectCount()}.`)
  } finally {
    await server.close()
    await store.close()
  }
  await report.finish()
}

const seconds = ({ started_at, ended_at }: Run) => (Date.parse(ended_at!) - Date.parse(started_at)) / 1000

// Bytes into an S3 store and out of it through the adapter, beside the client library alone in the same
// run, and what that takes of memory. The store is a real S3 server on this machine.
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { line } from '../src/cli/output.ts'
import type { BlobStore } from '../src/platform/blobs/blobs.ts'
import { openBlobs } from '../src/platform/blobs/open-blobs.ts'
import { s3Config } from '../tests/support/blob-stores.ts'
import { S3_SERVER_MISSING, startS3Server } from '../tests/support/s3-server.ts'
import { Report } from './support/report.ts'

const KIB = 1024
const MIB = 1024 * KIB
const CHUNK = randomBytes(MIB)
const BUCKET = 'kura'

const SIZES: { name: string; size_bytes: number; times: number }[] = [
  { name: '1 KB', size_bytes: KIB, times: 300 },
  { name: '1 MB', size_bytes: MIB, times: 60 },
  { name: '100 MB', size_bytes: 100 * MIB, times: 3 },
  { name: '1 GB', size_bytes: 1024 * MIB, times: 1 },
]

type Way = { put(key: string, size_bytes: number): Promise<unknown>; get(key: string): Promise<void> }

export async function run(): Promise<void> {
  if (S3_SERVER_MISSING) return line(`storage: ${S3_SERVER_MISSING}`)
  const report = new Report('storage', 'S3 storage: the adapter beside the client library alone')
  const server = await startS3Server()
  try {
    await server.createBucket(BUCKET)
    const adapter = throughAdapter(openBlobs(s3Config(server, `${BUCKET}/adapter`)))
    const library = throughLibrary(server.client)
    // Connections and code are warm for both.
    for (const way of [adapter, library]) await measure(way, { name: 'warm', size_bytes: KIB, times: 50 })
    for (const size of SIZES) {
      const ours = await measure(adapter, size)
      const theirs = await measure(library, size)
      const unit = size.size_bytes < MIB ? '/s' : 'MB/s'
      const rate = (ms: number) => (size.size_bytes < MIB ? 1000 / ms : size.size_bytes / MIB / (ms / 1000))
      for (const way of ['put', 'get'] as const)
        report.add({
          what: `${way} ${size.name}`,
          value: rate(ours[`${way}_ms`]),
          unit,
          beside: { name: 'library alone', value: rate(theirs[`${way}_ms`]), unit },
        })
      if (size.size_bytes >= 100 * MIB)
        report.add({
          what: `memory gained by ${size.name} in and out`,
          value: ours.gained_mb,
          unit: 'MB',
          beside: { name: 'library alone', value: theirs.gained_mb, unit: 'MB' },
        })
    }
  } finally {
    await server.stop()
  }
  report.note('The adapter also hashes every byte (SHA-256) and counts it against the limit while it writes.')
  report.note('The server (versitygw) writes to the disk of the same machine and shares its cores.')
  await report.finish()
}

/** Mean time of one put and one get, and how far memory rose meanwhile. */
async function measure(way: Way, { name, size_bytes, times }: (typeof SIZES)[number]) {
  const key = (i: number) => `${name.replace(' ', '-')}/${i}`
  const before = process.memoryUsage.rss()
  let peak = before
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }, 10)
  const start_ms = performance.now()
  for (let i = 0; i < times; i++) await way.put(key(i), size_bytes)
  const put_ms = (performance.now() - start_ms) / times
  const read_ms = performance.now()
  for (let i = 0; i < times; i++) await way.get(key(i))
  const get_ms = (performance.now() - read_ms) / times
  clearInterval(watch)
  return { put_ms, get_ms, gained_mb: (peak - before) / MIB }
}

async function* bytes(size_bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = size_bytes; left > 0; left -= MIB) yield CHUNK.subarray(0, Math.min(left, MIB))
}

function throughAdapter(store: BlobStore): Way {
  return {
    put: (key, size_bytes) => store.put(key, bytes(size_bytes), { limit_bytes: 5 * 1024 * MIB }),
    get: async (key) => drain(await store.read(key)),
  }
}

function throughLibrary(client: S3Client): Way {
  return {
    put: (key, size_bytes) =>
      new Upload({
        client,
        params: { Bucket: BUCKET, Key: `library/${key}`, Body: stream(size_bytes) },
        partSize: 8 * MIB,
        queueSize: 2,
      }).done(),
    async get(key) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key: `library/${key}` }))
      await drain(Body as AsyncIterable<Uint8Array>)
    },
  }
}

const stream = (size_bytes: number) => Readable.from(bytes(size_bytes), { objectMode: false })

async function drain(source: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of source);
}

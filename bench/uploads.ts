// A file of many gigabytes through a resumable upload whose connection is cut ten times.
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import { createReadStream, statfsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashOf, randomCuts, uploadWithCuts } from '../tests/support/tus-upload.ts'
import { remove, temporaryFolder } from './support/cleanup.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { type BenchServer, startServer } from './support/server.ts'
import { residentMb } from './support/usage.ts'

const GB = 1e9
const CUTS = 10
const CHUNK_BYTES = 4 * 1024 * 1024
/** The file, its copy and what the server stores, with room for others. */
const COPIES = 3.5

export async function run(): Promise<void> {
  const report = new Report('uploads', 'Resumable upload')
  const size_bytes = scaled(5 * GB, 0.1 * GB)
  const folder = temporaryFolder()
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < COPIES * size_bytes)
    throw new Error(`Needs ${Math.ceil((COPIES * size_bytes) / GB)} GB free in ${folder}.`)
  const path = join(folder, 'file')
  await writeRandom(path, size_bytes)
  const copy_s = await copyHashed(path, join(folder, 'copy'))
  remove(join(folder, 'copy'))
  const server = await startServer({ env: { KURA_TEXT_MODEL: 'hash' } })
  try {
    const result = await measure(server, path, size_bytes)
    const rate = (seconds: number) => size_bytes / 1e6 / seconds
    const gigabytes = (size_bytes / GB).toFixed(1)
    report.add({
      what: `${gigabytes} GB through tus, ${result.cuts_made} cuts, until the last byte is acknowledged`,
      value: rate(result.transfer_s),
      unit: 'MB/s',
      beside: { name: 'copying the file with SHA-256, synced', value: rate(copy_s) },
      note: `${(result.bytes_sent_again / 1e6).toFixed(1)} MB sent again`,
    })
    report.add({
      what: 'the same, until the object is there',
      value: rate(result.transfer_s + result.confirm_s),
      unit: 'MB/s',
      beside: { name: 'copying the file with SHA-256, synced', value: rate(copy_s) },
      note: 'hashed by a background job',
    })
    report.add({
      what: 'resident memory of the API process, highest while it uploads',
      value: result.memory_max_mb,
      unit: 'MB',
      beside: { name: 'before the upload', value: result.memory_before_mb },
      note: `median ${Math.round(result.memory_median_mb)} MB`,
    })
    report.note('The stored bytes were read back through the API and have the SHA-256 of the file.')
    await report.finish()
  } finally {
    await server.close()
    remove(folder)
  }
}

async function measure(server: BenchServer, path: string, size_bytes: number) {
  const { bucket_id } = await server.client.call<{ bucket_id: string }>('POST', '/v1/buckets', {
    bucket_name: 'large',
    bucket_schema: { properties: { file: { type: 'text' } } },
  })
  const memory_before_mb = residentMb(server.pid)
  const samples: number[] = []
  const sampling = setInterval(() => samples.push(residentMb(server.pid)), 100)
  const began_ms = performance.now()
  const upload = await uploadWithCuts({
    url: server.url,
    key: server.key,
    path,
    size_bytes,
    metadata: {
      bucket: bucket_id,
      filename: 'file.txt',
      filetype: 'text/plain',
      create_object_on_confirm: 'false',
    },
    cuts: randomCuts(size_bytes, CUTS),
  })
  clearInterval(sampling)
  const transfer_s = (performance.now() - began_ms) / 1000
  const upload_id = upload.location.split('/').at(-1)!
  const shown = await completed(server, bucket_id, upload_id)
  const confirm_s = (performance.now() - began_ms) / 1000 - transfer_s
  await verify(path, shown)
  samples.sort((a, b) => a - b)
  return {
    ...upload,
    transfer_s,
    confirm_s,
    memory_before_mb,
    memory_max_mb: samples.at(-1) ?? memory_before_mb,
    memory_median_mb: samples[Math.floor(samples.length / 2)] ?? memory_before_mb,
  }
}

type Shown = { status: string; file_hash: string; presigned_url: string }

async function completed(server: BenchServer, bucket_id: string, upload_id: string): Promise<Shown> {
  for (;;) {
    const path = `/v1/buckets/${bucket_id}/uploads/${upload_id}?return_presigned_urls=true`
    const shown = await server.client.call<Shown>('GET', path)
    if (shown.status === 'COMPLETED') return shown
    if (shown.status !== 'PROCESSING') throw new Error(`The upload is ${shown.status}.`)
    await sleep(50)
  }
}

async function verify(path: string, { file_hash, presigned_url }: Shown): Promise<void> {
  const expected = await hashOf(createReadStream(path))
  const answer = await fetch(presigned_url)
  const stored = await hashOf(Readable.fromWeb(answer.body as import('node:stream/web').ReadableStream))
  if (stored !== expected || file_hash !== expected)
    throw new Error('The stored bytes are not those of the file.')
}

/** Bytes that no disk can compress or remember. */
async function writeRandom(path: string, size_bytes: number): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', randomBytes(16), randomBytes(16))
  const zeros = Buffer.alloc(CHUNK_BYTES)
  const file = await open(path, 'w')
  for (let left = size_bytes; left > 0; left -= CHUNK_BYTES)
    await file.writeFile(cipher.update(zeros.subarray(0, Math.min(left, CHUNK_BYTES))))
  await file.sync()
  await file.close()
}

/** Seconds for what an upload must do at least: read, hash, write, sync. */
async function copyHashed(from: string, to: string): Promise<number> {
  const began_ms = performance.now()
  const hash = createHash('sha256')
  const file = await open(to, 'w')
  for await (const chunk of createReadStream(from)) {
    hash.update(chunk)
    await file.writeFile(chunk)
  }
  await file.sync()
  await file.close()
  hash.digest()
  return (performance.now() - began_ms) / 1000
}

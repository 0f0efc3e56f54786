import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** A client of the tus protocol whose connection can be cut at will. It knows the server by its HTTP only. */
export type CutUpload = {
  url: string
  key: string
  path: string
  size_bytes: number
  metadata: Record<string, string>
  /** Offsets of the file, ascending, after which the connection is destroyed without a word. */
  cuts: number[]
  /** Called after each cut, before the upload goes on. */
  onCut?: (offset: number) => Promise<void> | void
}

export type CutResult = {
  location: string
  cuts_made: number
  /** Bytes that had been sent when a cut came and were not kept, over all cuts. */
  bytes_sent_again: number
  /** Headers of the last answer. */
  headers: NodeJS.Dict<string | string[]>
}

type Answer = { status: number; headers: NodeJS.Dict<string | string[]>; text: string }

/** Uploads a file and goes on after every cut from where the server says it stands. */
export async function uploadWithCuts(upload: CutUpload): Promise<CutResult> {
  const { url, key, size_bytes, metadata, onCut } = upload
  const cuts = [...upload.cuts]
  const headers = { authorization: `Bearer ${key}`, 'tus-resumable': '1.0.0' }
  const created = await call('POST', `${url}/v1/uploads/tus`, {
    ...headers,
    'upload-length': String(size_bytes),
    'upload-metadata': Object.entries(metadata)
      .map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
      .join(','),
  })
  if (created.status !== 201) throw new Error(`${created.status} ${created.text}`)
  const location = String(created.headers.location)
  let cuts_made = 0
  let bytes_sent_again = 0
  let sent = 0
  for (;;) {
    const head = await persistently(() => call('HEAD', location, headers))
    if (head.status !== 200) throw new Error(`HEAD: ${head.status}`)
    const offset = Number(head.headers['upload-offset'])
    bytes_sent_again += Math.max(0, sent - offset)
    if (offset === size_bytes) return { location, cuts_made, bytes_sent_again, headers: head.headers }
    while (cuts.length > 0 && cuts[0]! <= offset) cuts.shift()
    const cut = cuts.shift()
    const outcome = await send({ ...upload, location, headers, offset, cut })
    if ('answer' in outcome) {
      const { status, headers: last, text } = outcome.answer
      if (status !== 204) throw new Error(`PATCH at ${offset}: ${status} ${text}`)
      return { location, cuts_made, bytes_sent_again, headers: last }
    }
    sent = outcome.sent
    cuts_made++
    await onCut?.(sent)
  }
}

type Sending = CutUpload & { location: string; headers: object; offset: number; cut: number | undefined }

/** Sends the rest of the file; resolves with the answer, or with how far it came when it was cut. */
function send({
  path,
  size_bytes,
  location,
  headers,
  offset,
  cut,
}: Sending): Promise<{ answer: Answer } | { sent: number }> {
  return new Promise((resolve, reject) => {
    let sent = offset
    const out = request(location, {
      method: 'PATCH',
      headers: {
        ...headers,
        'upload-offset': String(offset),
        'content-type': 'application/offset+octet-stream',
        'content-length': size_bytes - offset,
      },
    })
    const source = createReadStream(path, { start: offset, end: size_bytes - 1 })
    out.on('response', (response) => {
      collect(response).then((text) =>
        resolve({ answer: { status: response.statusCode!, headers: response.headers, text } }),
      )
    })
    out.on('error', (error) => {
      source.destroy()
      // The server may be gone as well; the client then asks where it stands, as after a cut.
      if (cut !== undefined || (error as NodeJS.ErrnoException).code === 'ECONNRESET') resolve({ sent })
      else reject(error)
    })
    source.on('data', (chunk) => {
      sent += chunk.length
      if (!out.write(chunk)) {
        source.pause()
        out.once('drain', () => source.resume())
      }
      if (cut !== undefined && sent >= cut) {
        source.destroy()
        out.destroy(new Error('cut'))
      }
    })
    source.on('end', () => out.end())
  })
}

/** A server that is being started again refuses connections for a moment. */
async function persistently(work: () => Promise<Answer>): Promise<Answer> {
  const deadline_ms = performance.now() + 60_000
  for (;;) {
    try {
      const answer = await work()
      if (answer.status < 500 && answer.status !== 423) return answer
    } catch (error) {
      if (performance.now() > deadline_ms) throw error
    }
    if (performance.now() > deadline_ms) throw new Error('The server does not come back.')
    await sleep(100)
  }
}

function call(method: string, url: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = request(url, { method, headers }, (response) => {
      collect(response).then(
        (text) => resolve({ status: response.statusCode!, headers: response.headers, text }),
        reject,
      )
    })
    out.on('error', reject)
    out.end()
  })
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** SHA-256 of a stream. */
export async function hashOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source) hash.update(chunk)
  return hash.digest('hex')
}

/** `count` different places in a file of this size, ascending. */
export function randomCuts(size_bytes: number, count: number): number[] {
  const cuts = Array.from({ length: count }, () => Math.floor(Math.random() * (size_bytes - 1)) + 1)
  return cuts.sort((a, b) => a - b)
}

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kura, type Server, serve } from './kura.ts'

const ENVIRONMENT = { KURA_ROOT_KEY: 'sk_acceptance_0123456789', KURA_TEXT_MODEL: 'hash' }

async function home(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kura-connections-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

async function open({ url }: Server): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

const createBucket = (name: string) => {
  const body = JSON.stringify({ bucket_name: name, bucket_schema: { properties: {} } })
  const head = `POST /v1/buckets HTTP/1.1\r\nHost: kura\r\nAuthorization: Bearer ${ENVIRONMENT.KURA_ROOT_KEY}\r\n`
  return { head: `${head}Content-Length: ${body.length}\r\n\r\n`, body }
}

test('SIGTERM lets requests under way finish, waits for nobody who only said half, and ends with code 0', async (t) => {
  const server = await serve(await home(t), { env: ENVIRONMENT })
  const half = await open(server)
  half.write(`${createBucket('never').head}{`)
  const slow = await open(server)
  const { head, body } = createBucket('slow')
  slow.write(head + body.slice(0, 10))
  const answer = once(slow, 'data')
  await sleep(300)

  const started_ms = performance.now()
  const stopped = server.stop()
  await sleep(1000)
  await assert.rejects(fetch(`${server.url}/v1/health`), 'new connections are refused')
  slow.write(body.slice(10))
  assert.match(String((await answer)[0]), /^HTTP\/1\.1 200 /)
  assert.equal(await stopped, 0)
  assert.ok(performance.now() - started_ms < 15_000)
})

test('two servers on one home answer as one, and leave a home that agrees with itself', async (t) => {
  const path = await home(t)
  const servers = [await serve(path, { env: ENVIRONMENT }), await serve(path, { env: ENVIRONMENT })]
  const call = <T>(i: number, method: string, url: string, body?: unknown) =>
    servers[i % 2]!.call<T>(method, url, body)
  const { bucket_id } = await call<{ bucket_id: string }>(0, 'POST', '/v1/buckets', {
    bucket_name: 'shared',
    bucket_schema: { properties: { body: { type: 'text' } } },
  })
  const { collection_id } = await call<{ collection_id: string }>(1, 'POST', '/v1/collections', {
    collection_name: 'texts',
    source: { type: 'bucket', bucket_ids: [bucket_id] },
    feature_extractor: { feature_extractor_name: 'text_extractor', input_mappings: { text: 'body' } },
  })
  const created = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      call<{ object_id: string }>(i, 'POST', `/v1/buckets/${bucket_id}/objects`, { body: `text ${i}` }),
    ),
  )
  const batches = await Promise.all(
    [0, 1, 2, 3].map(async (i) => {
      const object_ids = created.slice(i * 50, (i + 1) * 50).map(({ object_id }) => object_id)
      const base = `/v1/buckets/${bucket_id}/batches`
      const { batch_id } = await call<{ batch_id: string }>(i, 'POST', base, { object_ids })
      await call(i + 1, 'POST', `${base}/${batch_id}/submit`)
      return batch_id
    }),
  )
  for (const [i, batch_id] of batches.entries()) {
    let status = ''
    for (let waited = 0; status !== 'COMPLETED' && waited < 300; waited++) {
      status = (await call<{ status: string }>(i, 'GET', `/v1/batches/${batch_id}`)).status
      if (status !== 'COMPLETED') await sleep(200)
    }
    assert.equal(status, 'COMPLETED')
  }
  for (const i of [0, 1]) {
    const list = await call<{ pagination: { total: number } }>(
      i,
      'POST',
      `/v1/collections/${collection_id}/documents/list`,
      { include_total: true },
    )
    assert.equal(list.pagination.total, 200)
  }
  for (const server of servers) assert.equal(await server.stop(), 0)
  const doctor = await kura(['doctor'], { env: { ...ENVIRONMENT, KURA_HOME: path } })
  assert.equal(doctor.code, 0, doctor.stdout)
})

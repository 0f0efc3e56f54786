// Kills the API and the engine without warning, again and again, while objects come in and are
// processed, and looks at the end whether everything that was promised is there, once. It speaks HTTP
// and the command line only. KURA_TEST_KILLS sets the number of kills (default 100).
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

const KILLS = Number(process.env.KURA_TEST_KILLS ?? 100)
const OBJECTS = Number(process.env.KURA_TEST_OBJECTS ?? 2000)
const BATCH_OBJECTS = 100
const KEY = 'sk_crash_test_0123456789'
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const DEADLINE_MS = 10 * 60_000

type Json = Record<string, never> & { [name: string]: unknown }

/** The server as an operator sees it: a process that may be gone at any moment. */
class Server {
  readonly environment: NodeJS.ProcessEnv
  readonly base: string
  child: ChildProcess | undefined
  starts = 0
  start_ms_max = 0

  constructor(home: string, port: number) {
    this.base = `http://127.0.0.1:${port}/v1`
    this.environment = {
      ...process.env,
      NODE_NO_WARNINGS: '1',
      KURA_HOME: home,
      KURA_PORT: String(port),
      KURA_ROOT_KEY: KEY,
      KURA_TEXT_MODEL: 'hash',
      KURA_ENGINE_PROCESSES: '2',
      KURA_LOG_LEVEL: 'silent',
    }
  }

  async start(): Promise<void> {
    const from = performance.now()
    this.child = spawn(process.execPath, [MAIN, 'serve'], {
      env: this.environment,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    for (;;) {
      const healthy = await fetch(`${this.base}/health/liveness`).then(
        (response) => response.ok,
        () => false,
      )
      if (healthy) break
      assert.ok(performance.now() - from < 30_000, 'the server comes back within 30 s of a kill')
      assert.equal(this.child.exitCode, null, 'the server starts after a kill')
      await sleep(20)
    }
    this.starts++
    this.start_ms_max = Math.max(this.start_ms_max, performance.now() - from)
  }

  /** Engine processes, as the operating system lists them. */
  engines(): number[] {
    const pid = this.child?.pid
    if (pid === undefined) return []
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .trim()
        .split(/\s+/)
        .filter(Boolean)
      return children
        .map(Number)
        .filter((one) => readFileSync(`/proc/${one}/cmdline`, 'utf8').includes('engine-process'))
    } catch {
      return [] // It has ended since it was listed.
    }
  }

  async killApi(): Promise<void> {
    const child = this.child!
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  async stop(): Promise<void> {
    const child = this.child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }
}

/** A client that repeats what was not answered: only an answer counts as a promise. */
async function call(server: Server, method: string, path: string, body?: unknown): Promise<Json> {
  const until = performance.now() + DEADLINE_MS
  for (;;) {
    const response = await fetch(server.base + path, {
      method,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
      .then(async (answer) => ({ status: answer.status, body: (await answer.json()) as Json }))
      .catch(() => null)
    if (response && response.status < 500) {
      assert.ok(response.status < 400, `${method} ${path}: ${JSON.stringify(response.body)}`)
      return response.body
    }
    assert.ok(performance.now() < until, `${method} ${path} was never answered`)
    await sleep(30)
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  return port
}

const pick = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)]!

test(`nothing that was acknowledged is lost or doubled over ${KILLS} kills`, {
  timeout: 3_600_000,
}, async (t) => {
  if (process.platform !== 'linux')
    return t.skip('engine processes are found through /proc, which is Linux only')
  const home = mkdtempSync(join(tmpdir(), 'kura-crash-'))
  const server = new Server(home, await freePort())
  t.after(async () => {
    await server.stop()
    rmSync(home, { recursive: true, force: true })
  })
  const began = performance.now()
  await server.start()

  const bucket = await call(server, 'POST', '/buckets', {
    bucket_name: 'notes',
    bucket_schema: { properties: { sku: { type: 'string' }, body: { type: 'text' } } },
    unique_key: { fields: ['sku'], default_policy: 'upsert' },
  })
  const texts = await collection(
    server,
    'texts',
    { type: 'bucket', bucket_ids: [bucket.bucket_id] },
    {
      feature_extractor_name: 'text_extractor',
      input_mappings: { text: 'body' },
      field_passthrough: [{ source_path: 'sku' }],
    },
  )
  const copies = await collection(
    server,
    'copies',
    { type: 'collection', collection_id: texts },
    {
      feature_extractor_name: 'passthrough_extractor',
    },
  )

  const object_ids = new Map<string, string>()
  const batches: { batch_id: string; task_id: string }[] = []
  let isDone = false
  const submit = async (ids: string[]) => {
    const path = `/buckets/${bucket.bucket_id}/batches`
    const { batch_id } = (await call(server, 'POST', path, { object_ids: ids })) as unknown as {
      batch_id: string
    }
    const { task_id } = (await call(server, 'POST', `${path}/${batch_id}/submit`)) as unknown as {
      task_id: string
    }
    batches.push({ batch_id, task_id })
  }
  const ingest = async () => {
    let waiting: string[] = []
    for (let i = 0; i < OBJECTS; i++) {
      const sku = `sku-${i}`
      const object = await call(server, 'POST', `/buckets/${bucket.bucket_id}/objects`, {
        sku,
        body: `Note number ${i}.`,
      })
      object_ids.set(sku, object.object_id as unknown as string)
      waiting.push(object.object_id as unknown as string)
      if (waiting.length === BATCH_OBJECTS || i === OBJECTS - 1) {
        await submit(waiting)
        waiting = []
      }
    }
    // Objects are processed again and again until all kills are done.
    while (!isDone) {
      await submit(Array.from({ length: BATCH_OBJECTS }, () => pick([...object_ids.values()])))
      await sleep(200)
    }
  }
  const kills = { api: 0, engine: 0 }
  const kill = async () => {
    while (kills.api + kills.engine < KILLS) {
      await sleep(20 + Math.random() * 380)
      const engines = server.engines()
      if (Math.random() < 0.3) {
        await server.killApi()
        kills.api++
        await server.start()
      } else if (engines.length > 0) {
        try {
          process.kill(pick(engines), 'SIGKILL')
          kills.engine++
        } catch {
          // It ended by itself in between; that is no kill.
        }
      }
    }
    isDone = true
  }
  await Promise.all([ingest(), kill()])
  const killed_ms = performance.now() - began

  for (const { batch_id, task_id } of batches) {
    const until = performance.now() + DEADLINE_MS
    for (;;) {
      const task = await call(server, 'GET', `/tasks/${task_id}`)
      if (task.status !== 'PENDING' && task.status !== 'IN_PROGRESS') break
      assert.ok(performance.now() < until, `batch ${batch_id} ends`)
      await sleep(50)
    }
    const batch = await call(server, 'GET', `/batches/${batch_id}`)
    assert.equal(batch.status, 'COMPLETED', JSON.stringify(batch))
  }
  const settled_ms = performance.now() - began

  const stored = await call(server, 'GET', `/buckets/${bucket.bucket_id}`)
  assert.equal(stored.object_count, OBJECTS, 'every object is there, once')
  for (const collection_id of [texts, copies]) {
    const { document_count } = await call(server, 'GET', `/collections/${collection_id}`)
    assert.equal(document_count, OBJECTS, 'the document count is what it should be')
    const roots = await rootsOf(server, collection_id)
    assert.equal(roots.length, OBJECTS, 'no document is missing or there twice')
    assert.deepEqual(new Set(roots), new Set(object_ids.values()), 'each object has its document')
  }
  await server.stop()
  const doctor = spawnSync(process.execPath, [MAIN, 'doctor', '--json'], {
    env: server.environment,
    encoding: 'utf8',
  })
  assert.equal(doctor.status, 0, `indexes equal the database: ${doctor.stdout}${doctor.stderr}`)
  console.log(
    JSON.stringify({
      kills,
      batches: batches.length,
      objects: OBJECTS,
      kill_phase_seconds: Math.round(killed_ms / 1000),
      settled_after_seconds: Math.round((settled_ms - killed_ms) / 1000),
      slowest_start_ms: Math.round(server.start_ms_max),
    }),
  )
})

async function collection(server: Server, name: string, source: unknown, extractor: object): Promise<string> {
  const body = { collection_name: name, source, feature_extractor: { version: 'v1', ...extractor } }
  return (await call(server, 'POST', '/collections', body)).collection_id as unknown as string
}

/** The root object of every document of a collection. */
async function rootsOf(server: Server, collection_id: string): Promise<string[]> {
  const roots: string[] = []
  let cursor: unknown = null
  do {
    const page = (await call(server, 'POST', `/collections/${collection_id}/documents/list`, {
      limit: 500,
      cursor,
    })) as unknown as {
      results: { _internal: { lineage: { root_object_id: string } } }[]
      pagination: { next_cursor?: string }
    }
    roots.push(...page.results.map(({ _internal }) => _internal.lineage.root_object_id))
    cursor = page.pagination.next_cursor ?? null
  } while (cursor !== null)
  return roots
}

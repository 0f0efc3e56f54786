import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const KEY = 'sk_crash_test_0123456789'
export const DEADLINE_MS = 10 * 60_000
const MAIN = join(import.meta.dirname, '..', '..', '..', 'src', 'main.ts')

export type Json = Record<string, never> & { [name: string]: unknown }

/** The server as an operator sees it: a process that may be gone at any moment. */
export class Server {
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
      KURA_WEBHOOK_ALLOW_HTTP: 'true',
      KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
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
      assert.ok(performance.now() - from < 60_000, 'the server comes back within a minute of a kill')
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

  /** `kura doctor` on what the server has left behind; it must have stopped. */
  doctor(...flags: string[]): { status: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'doctor', '--json', ...flags], {
      env: this.environment,
      encoding: 'utf8',
    })
    return { status, output: `${stdout}${stderr}` }
  }
}

/** A client that repeats what was not answered: only an answer counts as a promise. */
export async function call(server: Server, method: string, path: string, body?: unknown): Promise<Json> {
  return send(`${method} ${path}`, () =>
    fetch(server.base + path, {
      method,
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  ).then((answer) => (answer.length > 0 ? (JSON.parse(answer.toString()) as Json) : ({} as Json)))
}

type Answer = { status: number; body: Buffer }

/** Repeats a request until it is answered with what is no fault of the server. */
export async function send(name: string, request: () => Promise<Response>): Promise<Buffer> {
  const until = performance.now() + DEADLINE_MS
  for (;;) {
    const answer: Answer | Error = await request()
      .then(async (response) => ({
        status: response.status,
        body: Buffer.from(await response.arrayBuffer()),
      }))
      .catch((error: Error) => error)
    const reason = answer instanceof Error ? answer.message : answer.body.toString().slice(0, 2000)
    if (!(answer instanceof Error) && answer.status < 500 && answer.status !== 429) {
      assert.ok(answer.status < 400, `${name}: ${reason}`)
      return answer.body
    }
    assert.ok(performance.now() < until, `${name} was never answered: ${reason}`)
    await sleep(30)
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  return port
}

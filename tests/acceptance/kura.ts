import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

// Acceptance tests know the program from outside only: its command line, its HTTP, its files.

const KURA = join(import.meta.dirname, '..', '..', 'bin', 'kura')
const START_TIMEOUT_MS = 60_000

/** The environment of a person who has set nothing of Kura's. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KURA_')))
}

export type Outcome = { code: number | null; stdout: string; stderr: string }

/** Runs `kura` to its end. */
export async function kura(
  args: readonly string[],
  { env = {}, cwd }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Outcome> {
  const child = spawn(KURA, args, { cwd, env: { ...cleanEnvironment(), ...env }, timeout: 120_000 })
  const output = collect(child)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, ...output }
}

export type Running = {
  /** What was printed so far. */
  output: { stdout: string; stderr: string }
  /** Sends SIGTERM and returns the exit code. */
  stop(): Promise<number | null>
}

/** Starts `kura` with a command that runs until it is stopped. */
export function start(
  args: readonly string[],
  env: Record<string, string> = {},
): Running & { child: ChildProcess } {
  const child = spawn(KURA, args, { env: { ...cleanEnvironment(), ...env } })
  return { child, output: collect(child), stop: () => stop(child) }
}

export type Server = Running & {
  child: ChildProcess
  url: string
  key: string
  home: string
  /** Environment that makes client commands talk to this server. */
  env: Record<string, string>
  call<T>(method: string, path: string, body?: unknown): Promise<T>
}

/** Starts `kura serve` on a free port and waits until it is ready. */
export async function serve(
  home: string,
  { args = [], env = {} }: { args?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Server> {
  const running = start(['serve', '--home', home, '--port', '0', '--log-level', 'warn', ...args], env)
  const { child, output } = running
  const url = await printed(child, output, /Kura serves (http:\S+)/)
  const health = await fetch(`${url}/v1/health`)
  if (health.status !== 200) throw new Error(`The server is not ready: ${health.status}.`)
  const key = env.KURA_ROOT_KEY ?? (await printed(child, output, /^\s+(sk_\S+)/m))
  return {
    ...running,
    url,
    key,
    home,
    env: { KURA_URL: url, KURA_API_KEY: key },
    async call<T>(method: string, path: string, body?: unknown): Promise<T> {
      const response = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
      return JSON.parse(text) as T
    },
  }
}

function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    child.once('close', (code) => resolve(code))
    child.kill('SIGTERM')
  })
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' }
  child.stdout?.on('data', (chunk: Buffer) => {
    output.stdout += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    output.stderr += chunk.toString()
  })
  return output
}

/** The first group of the pattern, once it has been printed. */
async function printed(
  child: ChildProcess,
  output: { stdout: string; stderr: string },
  pattern: RegExp,
): Promise<string> {
  const deadline_ms = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const found = pattern.exec(output.stdout)
    if (found) return found[1]!
    if (child.exitCode !== null || performance.now() > deadline_ms) {
      await stop(child)
      throw new Error(`The server did not start: ${output.stdout}${output.stderr}`)
    }
    await sleep(20)
  }
}

/** An empty folder for one test file; `remove` deletes it. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'kura-acceptance-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** A port that another program listens on until `free` is called. */
export async function takenPort(): Promise<{ port: number; free(): Promise<void> }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return { port: address.port, free: () => new Promise((resolve) => server.close(() => resolve())) }
}

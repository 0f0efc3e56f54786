import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../../src/cli/client.ts'
import { remove, start, stop, temporaryFolder } from './cleanup.ts'

export const ROOT = join(import.meta.dirname, '..', '..')
const KEY = 'sk_bench_0123456789abcdefghij'
const START_TIMEOUT_MS = 60_000

export type BenchServer = {
  url: string
  key: string
  home: string
  pid: number
  client: Client
  /** From the start of the process to the first 200 of /v1/health. */
  started_in_ms: number
  /** Stops the process and keeps the home. */
  stop(): Promise<void>
  /** Stops the process and removes the home when it is a temporary one. */
  close(): Promise<void>
}

/** Starts `kura serve` as a process of its own, on a free port and, unless given, a fresh home. */
export async function startServer({
  home,
  env = {},
}: {
  home?: string
  env?: Record<string, string>
} = {}): Promise<BenchServer> {
  const folder = home ?? temporaryFolder()
  const port = await freePort()
  const start_ms = performance.now()
  const child = start(join(ROOT, 'bin', 'kura'), ['serve', '--home', folder, '--port', String(port)], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, KURA_LOG_LEVEL: 'error', KURA_ROOT_KEY: KEY, ...env },
  })
  const url = `http://127.0.0.1:${port}`
  await answers(`${url}/v1/health`, child)
  const started_in_ms = performance.now() - start_ms
  return {
    url,
    key: KEY,
    home: folder,
    pid: child.pid!,
    client: new Client({ url, key: KEY }),
    started_in_ms,
    stop: () => stop(child),
    async close() {
      await stop(child)
      if (home === undefined) remove(folder)
    },
  }
}

/** Runs `work` with a server on a fresh home and frees both afterwards. */
export async function withServer<T>(
  env: Record<string, string>,
  work: (server: BenchServer) => Promise<T>,
): Promise<T> {
  const server = await startServer({ env })
  try {
    return await work(server)
  } finally {
    await server.close()
  }
}

/** Waits until the address answers 200. */
export async function answers(url: string, child: ChildProcess): Promise<void> {
  const deadline_ms = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline_ms) {
    if (child.exitCode !== null) throw new Error(`The server ended with code ${child.exitCode}.`)
    const status = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => 0, // Not listening yet.
    )
    if (status === 200) return
    await sleep(2)
  }
  throw new Error(`${url} did not answer within ${START_TIMEOUT_MS / 1000} s.`)
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('No free port.')),
      )
    })
  })
}

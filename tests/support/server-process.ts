import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_TIMEOUT_MS = 20_000

/**
 * The path of a program that tests start: what the environment variable names, or the first on PATH.
 * Undefined where there is none; tests then skip and say what is missing.
 */
export function findProgram(name: string, variable: string): string | undefined {
  const named = process.env[variable]
  if (named) return named
  const candidates = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return candidates.find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A port of 127.0.0.1 that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', resolve)
  })
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No port.')
  return address.port
}

export type ServerProcess = {
  child: ChildProcess
  /** Sends SIGTERM, then SIGKILL after two seconds, and waits until it is gone. */
  stop(): Promise<void>
}

/** Starts a program and waits until `isReady`; throws with what it printed when it ends or never gets there. */
export async function startServer(
  command: string,
  args: readonly string[],
  { env = {}, isReady }: { env?: Record<string, string>; isReady(): Promise<boolean> },
): Promise<ServerProcess> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let ended = false
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000)
    })
  child.once('error', (error) => {
    output += error.message
    ended = true
  })
  child.once('exit', () => {
    ended = true
  })
  // A test process that dies must not leave its servers behind.
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async () => {
    process.removeListener('exit', kill)
    if (ended) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    const timer = setTimeout(kill, 2000)
    await gone
    clearTimeout(timer)
  }
  const deadline_ms = performance.now() + START_TIMEOUT_MS
  while (!(await isReady())) {
    if (ended || performance.now() > deadline_ms) {
      await stop()
      throw new Error(`${command} did not start: ${output}`)
    }
    await sleep(20)
  }
  return { child, stop }
}

/** Whether something answers HTTP at the address, whatever it says. */
export async function answersHttp(url: string): Promise<boolean> {
  try {
    await (await fetch(url, { signal: AbortSignal.timeout(1000) })).body?.cancel()
    return true
  } catch {
    return false
  }
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { randomText } from './core/ids.ts'
import type { FromEngine, ToEngine } from './engine-messages.ts'
import type { JobQueue } from './platform/queue/queue.ts'

/** Engine processes that do not end by themselves within this time are killed; below the server's own limit. */
const STOP_TIMEOUT_MS = 10_000
const RESTART_DELAY_MS = 100
const RESTART_DELAY_MS_MAX = 30_000
/** A process that lived this long was healthy: its next restart does not wait. */
const HEALTHY_MS = 10_000
const WATCH_MS = 1000
/** A process that is silent for longer than a row may take hangs. */
const SILENCE_GRACE_MS = 60_000

const PROGRAM = fileURLToPath(new URL('./engine-process.ts', import.meta.url))

type Child = {
  process: ChildProcess
  worker_id: string
  started_ms: number
  heard_ms: number
  rss_bytes: number
}

export type SupervisorOptions = { config: Config; queue: JobQueue; logger: Logger }

/**
 * Keeps the engine processes of `kura serve` running: restarts those that end, kills those that
 * outgrow memory or hang, frees the leases of the dead, and passes wake-ups on.
 */
export class EngineSupervisor {
  readonly #options: SupervisorOptions
  readonly #children = new Set<Child>()
  readonly #restarts = new Set<NodeJS.Timeout>()
  readonly #failures: number[] = []
  #timer: NodeJS.Timeout | undefined
  #isStopping = false
  #unsubscribe: () => void = () => undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Process ids of the engine processes that live. */
  get pids(): number[] {
    return [...this.#children].flatMap(({ process: { pid } }) => pid ?? [])
  }

  async start(): Promise<void> {
    const { config, queue } = this.#options
    if (config.engine_processes === 0) return
    await this.#freeLeasesOfTheDead()
    this.#unsubscribe = queue.onWake(() => this.#wakeAll())
    for (let slot = 0; slot < config.engine_processes; slot++) this.#spawn(slot)
    this.#timer = setInterval(() => this.#watch(), WATCH_MS)
    this.#timer.unref()
  }

  /** Lets every process finish or give back its job. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#unsubscribe()
    clearInterval(this.#timer)
    for (const restart of this.#restarts) clearTimeout(restart)
    const ended = [...this.#children].map(async ({ process: child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      const isLate = await Promise.race([
        exit.then(() => false),
        sleep(STOP_TIMEOUT_MS, true, { ref: false }),
      ])
      if (isLate) {
        child.kill('SIGKILL')
        await exit
      }
    })
    await Promise.all(ended)
  }

  /** A server that was killed left leases behind; its engine processes are gone with it. */
  async #freeLeasesOfTheDead(): Promise<void> {
    const { queue, logger } = this.#options
    const dead = (await queue.listWorkers()).filter((worker_id) => {
      const [host, pid] = worker_id.split('/')
      return host === hostname() && !isAlive(Number(pid))
    })
    const freed = await queue.expireLeases(dead)
    if (freed > 0) logger.info({ jobs: freed }, 'Jobs of engine processes that died are run again.')
  }

  #spawn(slot: number): void {
    const { config, logger } = this.#options
    const child = fork(PROGRAM, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const now = performance.now()
    const worker_id = `${hostname()}/${child.pid}/${randomText(6)}`
    const entry: Child = { process: child, worker_id, started_ms: now, heard_ms: now, rss_bytes: 0 }
    this.#children.add(entry)
    child.on('error', (err) => logger.error({ err }, 'An engine process could not be reached.'))
    child.on('message', (message: FromEngine) => this.#hear(entry, message))
    child.once('exit', (code, signal) => void this.#ended(slot, entry, code, signal))
    tell(child, { type: 'start', config, worker_id })
  }

  #hear(child: Child, message: FromEngine): void {
    child.heard_ms = performance.now()
    if (message.type === 'pulse') child.rss_bytes = message.rss_bytes
    else this.#wakeAll(child)
  }

  #wakeAll(except?: Child): void {
    for (const child of this.#children) if (child !== except) tell(child.process, { type: 'wake' })
  }

  async #ended(slot: number, child: Child, code: number | null, signal: string | null): Promise<void> {
    const { queue, logger } = this.#options
    this.#children.delete(child)
    if (this.#isStopping) return
    const isHealthy = performance.now() - child.started_ms > HEALTHY_MS
    const failures = isHealthy ? 0 : (this.#failures[slot] ?? 0) + 1
    this.#failures[slot] = failures
    const delay_ms =
      failures === 0 ? 0 : Math.min(RESTART_DELAY_MS * 2 ** (failures - 1), RESTART_DELAY_MS_MAX)
    logger.warn(
      { pid: child.process.pid, code, signal, delay_ms },
      'An engine process ended; starting another.',
    )
    const restart = setTimeout(() => {
      this.#restarts.delete(restart)
      this.#spawn(slot)
    }, delay_ms)
    this.#restarts.add(restart)
    try {
      await queue.expireLeases([child.worker_id])
      this.#wakeAll()
    } catch (err) {
      logger.warn({ err }, 'The leases of an engine process could not be freed; they expire by themselves.')
    }
  }

  #watch(): void {
    const { config, logger } = this.#options
    const silence_ms = config.row_timeout_seconds * 1000 + SILENCE_GRACE_MS
    for (const { process: child, heard_ms, rss_bytes } of this.#children) {
      const rss = residentBytes(child.pid) ?? rss_bytes
      const reason =
        rss > config.engine_memory_bytes
          ? `uses ${rss} bytes of memory; the limit is ${config.engine_memory_bytes}`
          : performance.now() - heard_ms > silence_ms
            ? 'does not answer any more'
            : null
      if (reason === null) continue
      logger.error({ pid: child.pid }, `An engine process ${reason}; it is killed.`)
      child.kill('SIGKILL')
    }
  }
}

function tell(child: ChildProcess, message: ToEngine): void {
  // A process that is ending has closed its channel; its successor looks for jobs by itself.
  if (child.connected) child.send(message, () => undefined)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const PAGE_BYTES = 4096

/** What Linux knows of the process, even when it is too busy to tell by itself; null elsewhere. */
function residentBytes(pid: number | undefined): number | null {
  if (process.platform !== 'linux' || pid === undefined) return null
  try {
    const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]
    return Number(pages) * PAGE_BYTES
  } catch {
    // It has just ended; its exit event follows.
    return null
  }
}

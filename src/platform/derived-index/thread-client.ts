import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { KuraError } from '../../core/errors.ts'
import { unpackError } from '../../core/sent-error.ts'
import type { Call, Methods, Reply } from './thread-messages.ts'

/** The part of a pino logger that derived indexes use. */
export type IndexLogger = {
  info(facts: Record<string, unknown>, message: string): void
  warn(facts: Record<string, unknown>, message: string): void
}

/** After the first death the next call starts a new thread at once, later ones wait this long and double it. */
const RESTART_FIRST_MS = 250
const RESTART_MAX_MS = 10_000

type Pending = { resolve(value: unknown): void; reject(error: unknown): void }

/**
 * Calls into one worker thread, which is started by the first call. When the thread dies, what was
 * under way fails with `vector_index_unavailable` and a later call starts it anew. An idle thread
 * does not keep the process alive.
 */
export class ThreadClient<M extends Methods> {
  readonly #entry: URL
  readonly #data: unknown
  readonly #logger: IndexLogger | undefined
  #worker: Worker | undefined
  #closed = false
  #nextId = 1
  readonly #pending = new Map<number, Pending>()
  #deaths = 0
  #restartAfter = 0

  constructor({ entry, data, logger }: { entry: URL; data: unknown; logger?: IndexLogger }) {
    this.#entry = entry
    this.#data = data
    this.#logger = logger
  }

  get started(): boolean {
    return this.#worker !== undefined
  }

  call<K extends keyof M & string>(method: K, args: M[K]['takes']): Promise<M[K]['returns']> {
    const worker = this.#ensureWorker()
    if (!worker) return Promise.reject(new KuraError('vector_index_unavailable'))
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      if (this.#pending.size === 0) worker.ref()
      this.#pending.set(id, { resolve, reject })
      worker.postMessage({ id, method, args } satisfies Call)
    })
  }

  /** Ends the thread at once, as a crash would. */
  async terminate(): Promise<void> {
    await this.#worker?.terminate()
  }

  /** Lets the thread finish `last` calls for at most `timeout_ms`, then ends it for good. */
  async close(last: () => Promise<unknown>, timeout_ms: number): Promise<void> {
    if (this.#closed) return
    try {
      if (this.#worker) await Promise.race([last(), sleep(timeout_ms, undefined, { ref: false })])
    } catch (error) {
      this.#logger?.warn({ err: error }, 'An index thread could not finish its work before it was closed.')
    } finally {
      this.#closed = true
      await this.#worker?.terminate()
    }
  }

  #ensureWorker(): Worker | undefined {
    if (this.#worker) return this.#worker
    if (this.#closed || performance.now() < this.#restartAfter) return undefined
    const worker = new Worker(this.#entry, { workerData: this.#data })
    worker.unref()
    worker.on('message', (reply: Reply) => this.#receive(reply))
    worker.on('error', (error) => this.#logger?.warn({ err: error }, 'An index thread failed.'))
    worker.on('exit', () => this.#lost(worker))
    this.#worker = worker
    return worker
  }

  #receive(reply: Reply): void {
    if ('log' in reply) {
      this.#logger?.[reply.log](reply.facts, reply.message)
      return
    }
    const pending = this.#pending.get(reply.id)
    if (!pending) return
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) this.#worker?.unref()
    this.#deaths = 0
    if ('error' in reply) pending.reject(unpackError(reply.error, 'vector_index_unavailable'))
    else pending.resolve(reply.value)
  }

  #lost(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#deaths += 1
    if (this.#deaths > 1) {
      const wait_ms = Math.min(RESTART_FIRST_MS * 2 ** (this.#deaths - 2), RESTART_MAX_MS)
      this.#restartAfter = performance.now() + wait_ms
    }
    const failed = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of failed) reject(new KuraError('vector_index_unavailable'))
  }
}

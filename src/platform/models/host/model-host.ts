import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { KuraError } from '../../../core/errors.ts'
import { unpackError } from '../../../core/sent-error.ts'
import type { SlotOptions } from '../slots.ts'
import type { Reply, Request, Work } from './messages.ts'

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

/** Requests under way. Past a bound the next one fails at once, so that a slow model cannot fill the memory. */
const REQUESTS_MAX = 1024
const BYTES_MAX = 256 * 1024 * 1024

/** A child that has work and says nothing for this long hangs, and is ended. Loading and the largest request fit well within. */
const SILENCE_MAX_MS = 60_000
/** After its first death the child is started again at once; then after this long, doubled each time. */
const RESTART_FIRST_MS = 250
const RESTART_MAX_MS = 10_000
const CLOSE_MAX_MS = 2000

type Logger = { warn(facts: Record<string, unknown>, message: string): void }

type Pending = {
  work: Work
  bytes: number
  sent: boolean
  resolve(vectors: Float32Array[]): void
  reject(error: unknown): void
}

/**
 * A child process that runs models, so that this process never computes and survives whatever a model
 * or an image decoder does. The child is started by the first request. When it dies, what it was
 * working on fails with `inference_failed` (the cause could be that very work); what it had not
 * begun waits for the next child.
 */
export class ModelHost {
  readonly #options: SlotOptions
  readonly #logger: Logger | undefined
  readonly #pending = new Map<number, Pending>()
  #child: ChildProcess | undefined
  #bytes = 0
  #nextId = 1
  #deaths = 0
  #restart: NodeJS.Timeout | undefined
  #watch: NodeJS.Timeout | undefined
  #closed = false

  constructor({ options, logger }: { options: SlotOptions; logger?: Logger }) {
    this.#options = options
    this.#logger = logger
  }

  /** Process id of the child while one runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Rejects with the signal's reason as soon as it aborts, else with a KuraError. */
  request(work: Work, signal?: AbortSignal): Promise<Float32Array[]> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    const bytes = sizeOf(work)
    if (this.#closed || this.#pending.size >= REQUESTS_MAX || this.#bytes + bytes > BYTES_MAX)
      return Promise.reject(busy(this.#closed))
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array[]>()
    const id = this.#nextId++
    this.#pending.set(id, { work, bytes, sent: false, resolve, reject })
    this.#bytes += bytes
    const abort = () => this.#abort(id, signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.#ensureChild()
    this.#sendWaiting()
    return promise.finally(() => signal?.removeEventListener('abort', abort))
  }

  /** Fails what is under way and ends the child. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#restart)
    this.#failAll(() => true, new KuraError('inference_failed'))
    const child = this.#child
    if (!child) return
    const exited = once(child, 'exit')
    child.disconnect() // The child ends with its channel, and is killed if it is too busy to notice.
    const waited = new AbortController()
    await Promise.race([
      exited,
      sleep(CLOSE_MAX_MS, undefined, { signal: waited.signal }).catch(() => undefined),
    ])
    waited.abort()
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await exited
    }
  }

  #ensureChild(): void {
    if (this.#child || this.#restart) return
    if (this.#deaths < 2) this.#start()
    else {
      const wait_ms = Math.min(RESTART_FIRST_MS * 2 ** (this.#deaths - 2), RESTART_MAX_MS)
      this.#restart = setTimeout(() => this.#start(), wait_ms)
    }
  }

  #start(): void {
    this.#restart = undefined
    const child = fork(CHILD, [], {
      serialization: 'advanced', // Typed arrays cross as they are.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    child.on('message', (reply: Reply) => this.#receive(reply))
    child.once('exit', (code, signal) => this.#lost(child, `it ended with ${signal ?? `code ${code}`}`))
    child.once('error', (error) => this.#lost(child, error.message))
    child.unref()
    this.#send({ type: 'start', options: this.#options })
    this.#sendWaiting()
  }

  #sendWaiting(): void {
    if (!this.#child) return
    for (const [id, pending] of this.#pending) {
      if (pending.sent) continue
      pending.sent = true
      this.#send({ type: 'work', id, work: pending.work })
    }
    this.#child.channel?.ref() // Work under way keeps this process alive.
    this.#watch ??= setTimeout(() => this.#child?.kill('SIGKILL'), SILENCE_MAX_MS).unref()
  }

  #send(request: Request): void {
    // A message that cannot be sent belongs to a child that is ending; its exit settles everything.
    this.#child?.send(request, (error) => {
      if (error) this.#logger?.warn({ err: error }, 'A message did not reach the model process.')
    })
  }

  #receive(reply: Reply): void {
    this.#deaths = 0
    this.#watch?.refresh()
    const pending = this.#take(reply.id)
    if (!pending) return // It was aborted while the answer was on its way.
    if ('error' in reply) pending.reject(unpackError(reply.error, 'inference_failed'))
    else pending.resolve(reply.vectors)
  }

  #abort(id: number, reason: unknown): void {
    const pending = this.#take(id)
    if (pending?.sent) this.#send({ type: 'cancel', id })
    pending?.reject(reason)
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (!pending) return undefined
    this.#pending.delete(id)
    this.#bytes -= pending.bytes
    if (this.#pending.size === 0) this.#rest()
    return pending
  }

  #rest(): void {
    clearTimeout(this.#watch)
    this.#watch = undefined
    this.#child?.channel?.unref()
  }

  #lost(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (this.#closed) return
    this.#deaths += 1
    this.#logger?.warn(
      { pid: child.pid, reason },
      'The model process ended; the next request starts it again.',
    )
    const cause = new Error(`The model process was lost: ${reason}.`)
    this.#failAll((pending) => pending.sent, new KuraError('inference_failed', {}, { cause }))
    if (this.#pending.size > 0) this.#ensureChild()
  }

  #failAll(matches: (pending: Pending) => boolean, error: KuraError): void {
    for (const [id, pending] of this.#pending) if (matches(pending)) this.#take(id)?.reject(error)
  }
}

function busy(closed: boolean): KuraError {
  const message = closed ? 'The server is shutting down.' : 'Too many requests wait for the model. Try again.'
  return new KuraError('inference_failed', {}, { message })
}

function sizeOf(work: Work): number {
  if (work.type === 'load') return 0
  return work.inputs.reduce(
    (sum, input) => sum + ('text' in input ? input.text.length : input.image.length),
    0,
  )
}

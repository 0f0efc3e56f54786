import { setTimeout as sleep } from 'node:timers/promises'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import type { Job, JobHandler, JobQueue } from '../../platform/queue/queue.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import { messageOf, recordOutcome, type Sender, tryDelivery } from './attempt.ts'
import { type DeliveryRow, listDue, settle } from './delivery-store.ts'
import { endTurn, takeTurn } from './dispatcher-turn.ts'
import { toEvent } from './event.ts'
import { handOver, hasWaitingEvents } from './hand-over.ts'
import { listWebhooks, type WebhookRecord } from './store.ts'

/** Deliveries to one webhook at the same time; one that fails is only tried with one. */
const AT_ONCE = 4
const AT_ONCE_FAILING = 1
/** Deliveries at the same time; more than all failing webhooks of an organization can occupy. */
const AT_ONCE_TOTAL = 128
/** While deliveries are under way, new work is looked for this often. */
const LOOK_MS = 200

export type DispatcherDeps = { db: Db; queue: JobQueue; secrets: SecretBox; sender: Sender }

/** The job `deliver_webhook`: hands waiting events over and makes all attempts that are due. */
export function deliverWebhooksJob(deps: DispatcherDeps): JobHandler {
  return async (job, signal) => {
    const hasTurn = await inTransaction(deps.db, async (trx) => {
      if (await takeTurn(trx, job)) return true
      await deps.queue.complete(trx, job)
      return false
    })
    if (hasTurn) await new Dispatcher(deps, job, signal).run()
  }
}

class Dispatcher {
  readonly #deps: DispatcherDeps
  readonly #job: Job
  readonly #scope: OrganizationScope
  /** Aborts the attempts under way when the run ends early. */
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #under_way = new Map<string, { webhook_id: string; done: Promise<void> }>()

  constructor(deps: DispatcherDeps, job: Job, signal: AbortSignal) {
    this.#deps = deps
    this.#job = job
    this.#scope = { organizationId: job.organization_id }
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
  }

  /** Runs until nothing is due. A fault ends it, and the job runs again. */
  async run(): Promise<void> {
    const { db, queue } = this.#deps
    try {
      for (;;) {
        this.#signal.throwIfAborted()
        await this.#handOver()
        await this.#start()
        if (this.#under_way.size > 0) await this.#wait()
        else {
          const isDone = await inTransaction(db, async (trx) => {
            if (!(await endTurn(trx, this.#job))) return false
            await queue.complete(trx, this.#job)
            return true
          })
          if (isDone) return
        }
      }
    } finally {
      this.#stop.abort()
      await Promise.allSettled([...this.#under_way.values()].map(({ done }) => done))
    }
  }

  async #handOver(): Promise<void> {
    const { db, secrets } = this.#deps
    if (!(await hasWaitingEvents(db, this.#scope))) return
    await inTransaction(db, (trx) => handOver(trx, secrets, this.#scope))
  }

  /** Starts what is due, as far as there is room; webhooks are independent of each other. */
  async #start(): Promise<void> {
    const { db, secrets } = this.#deps
    for (const webhook of await listWebhooks(db, secrets, this.#scope, { only_active: true })) {
      const room = AT_ONCE_TOTAL - this.#under_way.size
      const at_once = webhook.failing_since === null ? AT_ONCE : AT_ONCE_FAILING
      // As they are before the question: one that ends meanwhile is still due in the answer.
      const busy = new Set(
        [...this.#under_way].filter(([, one]) => one.webhook_id === webhook.webhook_id).map(([id]) => id),
      )
      const free = Math.min(room, at_once - busy.size)
      if (free <= 0) continue
      // Those under way are still due, and come first.
      const due = await listDue(db, this.#scope, webhook.webhook_id, free + busy.size)
      const fresh = due.filter(({ delivery_id }) => !busy.has(delivery_id)).slice(0, free)
      for (const row of fresh) {
        const done = this.#deliver(webhook, row)
        this.#under_way.set(row.delivery_id, { webhook_id: webhook.webhook_id, done })
        // A rejection is met in #wait, or after the run has ended for another reason.
        done.catch(() => undefined)
      }
    }
  }

  async #deliver(webhook: WebhookRecord, row: DeliveryRow): Promise<void> {
    const { db, sender } = this.#deps
    const channel = webhook.channels[row.channel_index]
    const event = await db
      .selectFrom('outbox_events')
      .selectAll()
      .where('event_id', '=', row.event_id)
      .executeTakeFirst()
    if (!channel || !event) {
      const error = channel ? 'The event is no longer kept.' : 'The webhook has this channel no more.'
      await inTransaction(db, (trx) =>
        settle(trx, this.#scope, row, {
          status: 'canceled',
          error,
          next_attempt_at: null,
          completed_at: timestamp(),
        }),
      )
    } else {
      const tried = await tryDelivery(sender, channel, messageOf(row, toEvent(event), this.#signal))
      await recordOutcome(db, webhook, row, tried)
    }
    this.#under_way.delete(row.delivery_id)
  }

  /** Until an attempt has ended, or it is time to look for new work. Throws what an attempt threw. */
  async #wait(): Promise<void> {
    const timer = new AbortController()
    const look = sleep(LOOK_MS, undefined, { signal: timer.signal }).catch(() => undefined)
    try {
      await Promise.race([look, ...[...this.#under_way.values()].map(({ done }) => done)])
    } finally {
      timer.abort()
    }
  }
}

import { sql } from 'kysely'
import type { Logger } from 'pino'
import type { AnsweredRequest } from '../../core/answered-request.ts'
import { type Clock, systemClock, toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction } from '../db/db.ts'
import { LATENCY_BOUNDS_MS, LATENCY_COLUMNS } from '../db/tables/organization-tables.ts'
import { Flushes } from './flushes.ts'

type Sum = Omit<AnsweredRequest, 'is_error' | 'latency_ms'> & {
  requests: number
  errors: number
  latency_ms_sum: number
  latencies: number[]
}

const DAY_MS = 24 * 3600_000
/** Rows of a statement: each has some twenty parameters. */
const FLUSH_ROWS = 100

/**
 * Counts requests in memory, and adds the sums to rows of days every ten seconds and at the end: no
 * request waits for its own count. A server that crashes loses what it counted since the last time.
 */
export class UsageRecorder {
  readonly #db: Db
  readonly #log: Pick<Logger, 'warn'>
  readonly #clock: Clock
  #day: { name: string; ends_ms: number } = { name: '', ends_ms: 0 }
  /** By day, key and endpoint. */
  #sums = new Map<string, Sum>()
  readonly #flushes = new Flushes(() => this.#write())

  constructor({ db, log, clock = systemClock }: { db: Db; log: Pick<Logger, 'warn'>; clock?: Clock }) {
    this.#db = db
    this.#log = log
    this.#clock = clock
  }

  /** Writes down what has been counted from now on, again and again. */
  start(): void {
    this.#flushes.start()
  }

  stop(): Promise<void> {
    return this.#flushes.stop()
  }

  count({ is_error, latency_ms, ...what }: AnsweredRequest): void {
    const day = this.#today()
    const key = `${day} ${what.key_id} ${what.endpoint}`
    let sum = this.#sums.get(key)
    if (!sum) {
      sum = { ...what, requests: 0, errors: 0, latency_ms_sum: 0, latencies: LATENCY_COLUMNS.map(() => 0) }
      this.#sums.set(key, sum)
    }
    sum.requests++
    if (is_error) sum.errors++
    sum.latency_ms_sum += latency_ms
    let i = 0
    while (i < LATENCY_BOUNDS_MS.length && latency_ms > LATENCY_BOUNDS_MS[i]!) i++
    sum.latencies[i]!++
  }

  /** Adds what was counted to the database; what cannot be written is tried again the next time. */
  flush(): Promise<void> {
    return this.#flushes.flush()
  }

  async #write(): Promise<void> {
    const sums = this.#sums
    if (sums.size === 0) return
    this.#sums = new Map()
    const now = toTimestamp(this.#clock.now())
    try {
      await inTransaction(this.#db, async (trx) => {
        // Every server takes rows in the same order, so that none waits for one that waits for it.
        const rows = [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, sum]) => rowOf(key, sum))
        for (let start = 0; start < rows.length; start += FLUSH_ROWS)
          await trx
            .insertInto('usage_days')
            .values(rows.slice(start, start + FLUSH_ROWS))
            .onConflict((conflict) =>
              conflict
                .columns(['organization_id', 'day', 'key_id', 'endpoint'])
                .doUpdateSet(
                  Object.fromEntries(
                    ADDED.map((column) => [
                      column,
                      sql<number>`${sql.ref(`usage_days.${column}`)} + ${sql.ref(`excluded.${column}`)}`,
                    ]),
                  ),
                ),
            )
            .execute()
        for (const key_id of new Set(rows.map((row) => row.key_id).sort()))
          await trx.updateTable('api_keys').set({ last_used_at: now }).where('key_id', '=', key_id).execute()
      })
    } catch (err) {
      for (const [key, sum] of sums) this.#putBack(key, sum)
      this.#log.warn({ err }, 'Usage could not be written down; it is tried again in ten seconds.')
    }
  }

  #putBack(key: string, sum: Sum): void {
    const known = this.#sums.get(key)
    if (!known) return void this.#sums.set(key, sum)
    known.requests += sum.requests
    known.errors += sum.errors
    known.latency_ms_sum += sum.latency_ms_sum
    for (const [i, count] of sum.latencies.entries()) known.latencies[i]! += count
  }

  /** Making a date for every request would cost more than counting it. */
  #today(): string {
    const now_ms = this.#clock.now()
    if (now_ms >= this.#day.ends_ms || now_ms < this.#day.ends_ms - DAY_MS) {
      const starts_ms = Math.floor(now_ms / DAY_MS) * DAY_MS
      this.#day = { name: toTimestamp(starts_ms).slice(0, 10), ends_ms: starts_ms + DAY_MS }
    }
    return this.#day.name
  }
}

const ADDED = ['requests', 'errors', 'latency_ms_sum', ...LATENCY_COLUMNS] as const

function rowOf(key: string, { latencies, ...sum }: Sum) {
  const counts = Object.fromEntries(LATENCY_COLUMNS.map((column, i) => [column, latencies[i]!]))
  return { ...sum, day: key.slice(0, 10), ...(counts as Record<(typeof LATENCY_COLUMNS)[number], number>) }
}

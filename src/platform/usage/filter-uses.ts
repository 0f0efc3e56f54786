import { sql } from 'kysely'
import type { Logger } from 'pino'
import { conditionsOf, type FilterNode, type Test } from '../../core/filters/ast.ts'
import type { Scope } from '../../core/scope.ts'
import { type Clock, systemClock } from '../../core/time.ts'
import { type Db, inTransaction, type Trx } from '../db/db.ts'
import { payloadField } from '../db/filters/field-index.ts'
import { Flushes } from './flushes.ts'

export const HOUR_MS = 3600_000
/** Rows of a statement: each has four parameters. */
const FLUSH_ROWS = 1000
/** Fields that are counted in one hour, of one namespace and of all; further ones are not. */
const FIELDS_MAX = 500
const ALL_FIELDS_MAX = 20_000

type Use = { namespace_id: string; field: string; hour: number; uses: number }

/**
 * Counts in memory which fields filters of documents ask for, and adds the sums to rows of hours every
 * ten seconds and at the end; only those of namespaces that want indexes made of it. No request waits
 * for its own count. A server that crashes loses what it counted since the last time.
 */
export class FilterUses {
  readonly #db: Db
  readonly #log: Pick<Logger, 'warn'>
  readonly #clock: Clock
  #hour = 0
  /** Fields of this hour by namespace, so that clients who invent fields fill neither memory nor table. */
  readonly #known = new Map<string, Set<string>>()
  #known_count = 0
  /** Not yet written, by hour, namespace and field. */
  #uses = new Map<string, Use>()
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

  /** One use of every field of the filter for which an index could have helped. */
  count({ namespaceId }: Pick<Scope, 'namespaceId'>, filter: FilterNode | null): void {
    if (filter === null) return
    const hour = Math.floor(this.#clock.now() / HOUR_MS)
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#known.clear()
      this.#known_count = 0
    }
    const fields = new Set<string>()
    for (const condition of conditionsOf(filter)) {
      const field = isHelped(condition) ? payloadField(condition.field) : null
      if (field !== null && this.#isKnown(namespaceId, field)) fields.add(field)
    }
    for (const field of fields) this.#add({ namespace_id: namespaceId, field, hour, uses: 1 })
  }

  /** Adds what was counted to the database; what cannot be written is tried again the next time. */
  flush(): Promise<void> {
    return this.#flushes.flush()
  }

  #isKnown(namespace_id: string, field: string): boolean {
    const fields = this.#known.get(namespace_id)
    if (fields?.has(field)) return true
    if (this.#known_count >= ALL_FIELDS_MAX || (fields?.size ?? 0) >= FIELDS_MAX) return false
    this.#known_count++
    if (fields) fields.add(field)
    else this.#known.set(namespace_id, new Set([field]))
    return true
  }

  #add(use: Use): void {
    const key = `${use.hour} ${use.namespace_id} ${use.field}`
    const counted = this.#uses.get(key)
    if (counted) counted.uses += use.uses
    // More than an hour's fields wait only while the database cannot be written.
    else if (this.#uses.size < 2 * ALL_FIELDS_MAX) this.#uses.set(key, use)
  }

  async #write(): Promise<void> {
    if (this.#uses.size === 0) return
    // Every server takes rows in the same order, so that none waits for one that waits for it.
    const uses = [...this.#uses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use)
    this.#uses = new Map()
    try {
      await inTransaction(this.#db, async (trx) => {
        const wanting = await wantingNamespaces(trx, [...new Set(uses.map((use) => use.namespace_id))])
        const rows = uses.filter((use) => wanting.has(use.namespace_id))
        for (let start = 0; start < rows.length; start += FLUSH_ROWS)
          await addUses(trx, rows.slice(start, start + FLUSH_ROWS))
      })
    } catch (err) {
      for (const use of uses) this.#add(use)
      this.#log.warn({ err }, 'Uses of filters could not be written down; it is tried again in ten seconds.')
    }
  }
}

/** Whether an index on the field could answer the test. */
const isHelped = (test: Test): boolean =>
  test.operator === 'in'
    ? !test.negated
    : test.operator === 'gt' || test.operator === 'gte' || test.operator === 'lt' || test.operator === 'lte'

async function wantingNamespaces(trx: Trx, namespace_ids: readonly string[]): Promise<Set<string>> {
  const rows = await trx
    .selectFrom('namespaces')
    .select('namespace_id')
    .where('namespace_id', 'in', namespace_ids)
    .where('auto_create_indexes', '=', 1)
    .where('status', '=', 'ACTIVE')
    .execute()
  return new Set(rows.map(({ namespace_id }) => namespace_id))
}

async function addUses(trx: Trx, rows: readonly Use[]): Promise<void> {
  await trx
    .insertInto('filter_uses')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .columns(['namespace_id', 'field', 'hour'])
        .doUpdateSet({ uses: sql<number>`filter_uses.uses + excluded.uses` }),
    )
    .execute()
}

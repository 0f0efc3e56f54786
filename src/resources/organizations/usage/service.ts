import type { Selectable } from 'kysely'
import { KuraError, valueError } from '../../../core/errors.ts'
import { RATE_CATEGORIES } from '../../../core/permissions.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { type Clock, parseInstant, systemClock, toTimestamp } from '../../../core/time.ts'
import type { Db } from '../../../platform/db/db.ts'
import type { Schema } from '../../../platform/db/schema.ts'
import { LATENCY_COLUMNS } from '../../../platform/db/tables/organization-tables.ts'
import type { UsageRecorder } from '../../../platform/usage/usage-recorder.ts'
import { percentile } from './percentile.ts'
import type { EndpointUsage, KeyUsage, OrganizationUsage, UsageQuery } from './schemas.ts'
import { readIngested } from './store.ts'

const DAY_MS = 24 * 3600_000
const DEFAULT_DAYS = 30
/** Rows of days are kept as long as the audit log. */
const KEPT_DAYS = 365

type DayRow = Selectable<Schema['usage_days']>
/** Days as they are stored, both included. */
type Window = { start: string; end: string }

type Options = { db: Db; recorder: UsageRecorder; clock?: Clock }

/** What keys have asked for, by day; and what an organization has taken in. */
export class UsageService {
  readonly #db: Db
  readonly #recorder: UsageRecorder
  readonly #clock: Clock

  constructor({ db, recorder, clock = systemClock }: Options) {
    this.#db = db
    this.#recorder = recorder
    this.#clock = clock
  }

  async ofOrganization(scope: OrganizationScope, query: UsageQuery): Promise<OrganizationUsage> {
    const window = this.#window(query)
    const rows = await this.#rows(scope, window)
    const ingested = await readIngested(this.#db, scope, {
      from: `${window.start}T00:00:00.000000Z`,
      until: toTimestamp(Date.parse(`${window.end}T00:00:00Z`) + DAY_MS),
    })
    return { ...window, ...summed(rows), ...ingested, credits: { total: null, used: 0, remaining: null } }
  }

  /** Throws `api_key_not_found`. What was taken in is not counted by key. */
  async ofKey(scope: OrganizationScope, key_id: string, query: UsageQuery): Promise<KeyUsage> {
    const window = this.#window(query)
    const { last_used_at } = await this.#key(scope, key_id)
    const rows = await this.#rows(scope, window, key_id)
    return {
      key_id,
      last_used_at,
      ...window,
      ...summed(rows),
      documents_written: null,
      objects_created: null,
      bytes_stored: null,
      compute_seconds: null,
      credits: { total: null, used: 0, remaining: null },
    }
  }

  /** By number of requests. Throws `api_key_not_found`. */
  async endpointsOfKey(
    scope: OrganizationScope,
    key_id: string,
    query: UsageQuery,
  ): Promise<EndpointUsage[]> {
    const window = this.#window(query)
    await this.#key(scope, key_id)
    const rows = await this.#rows(scope, window, key_id)
    return [...Map.groupBy(rows, ({ endpoint }) => endpoint)]
      .map(([endpoint, days]) => {
        const requests = sumOf(days, 'requests')
        const counts = LATENCY_COLUMNS.map((column) => sumOf(days, column))
        return {
          endpoint,
          requests,
          errors: sumOf(days, 'errors'),
          avg_latency_ms: rounded(sumOf(days, 'latency_ms_sum') / requests),
          p95_latency_ms: rounded(percentile(counts, 0.95)),
        }
      })
      .sort((a, b) => b.requests - a.requests || (a.endpoint < b.endpoint ? -1 : 1))
  }

  /** Removes days that have been kept long enough. */
  async purge(): Promise<number> {
    const before = toTimestamp(this.#clock.now() - KEPT_DAYS * DAY_MS).slice(0, 10)
    const { numDeletedRows } = await this.#db
      .deleteFrom('usage_days')
      .where('day', '<', before)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }

  async #key(
    { organizationId }: OrganizationScope,
    key_id: string,
  ): Promise<{ last_used_at: string | null }> {
    const find = () =>
      this.#db
        .selectFrom('api_keys')
        .select('last_used_at')
        .where('organization_id', '=', organizationId)
        .where('key_id', '=', key_id)
        .executeTakeFirst()
    const isKnown = await find()
    if (isKnown) await this.#recorder.flush()
    const row = isKnown && (await find())
    if (!row) throw new KuraError('api_key_not_found', { resource: 'api_key', id: key_id })
    return row
  }

  async #rows(
    { organizationId }: OrganizationScope,
    { start, end }: Window,
    key_id?: string,
  ): Promise<DayRow[]> {
    // What this server has counted and not yet written belongs to the answer.
    await this.#recorder.flush()
    let days = this.#db
      .selectFrom('usage_days')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .where('day', '>=', start)
      .where('day', '<=', end)
    if (key_id !== undefined) days = days.where('key_id', '=', key_id)
    return days.orderBy('day').execute()
  }

  #window({ start, end }: UsageQuery): Window {
    const until_ms = end ? instantOf(end, 'end') : this.#clock.now()
    const from_ms = start ? instantOf(start, 'start') : until_ms - (DEFAULT_DAYS - 1) * DAY_MS
    if (from_ms > until_ms) throw valueError(['query', 'start'], 'The start must not lie after the end')
    return { start: toTimestamp(from_ms).slice(0, 10), end: toTimestamp(until_ms).slice(0, 10) }
  }
}

function instantOf(text: string, name: string): number {
  const at_ms = parseInstant(text)
  if (at_ms === null)
    throw valueError(['query', name], 'Input should be a valid datetime', 'datetime_parsing')
  return Math.floor(at_ms)
}

function summed(rows: readonly DayRow[]) {
  const by_category = RATE_CATEGORIES.map((category) => [
    category,
    sumOf(
      rows.filter((row) => row.category === category),
      'requests',
    ),
  ])
  return {
    total_requests: sumOf(rows, 'requests'),
    requests_by_category: Object.fromEntries(by_category) as Record<string, number>,
    errors: sumOf(rows, 'errors'),
    by_day: [...Map.groupBy(rows, ({ day }) => day)].map(([date, days]) => ({
      date,
      requests: sumOf(days, 'requests'),
      errors: sumOf(days, 'errors'),
    })),
  }
}

const sumOf = (
  rows: readonly DayRow[],
  column: 'requests' | 'errors' | 'latency_ms_sum' | (typeof LATENCY_COLUMNS)[number],
) => rows.reduce((sum, row) => sum + row[column], 0)

const rounded = (value_ms: number) => Math.round(value_ms * 100) / 100

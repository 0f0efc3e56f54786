import type { Selectable } from 'kysely'
import { KuraError } from '../../../core/errors.ts'
import { omitNulls } from '../../../core/json.ts'
import type { PageRequest } from '../../../core/pagination.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { type Clock, parseInstant, systemClock, timestamp, toTimestamp } from '../../../core/time.ts'
import { recordAudit } from '../../../platform/audit/audit-log.ts'
import { changesOf } from '../../../platform/audit/changes.ts'
import { type Db, inSnapshot, inTransaction } from '../../../platform/db/db.ts'
import type { Schema } from '../../../platform/db/schema.ts'
import { getOrganization } from '../store.ts'
import type {
  AuditEvent,
  AuditSettings,
  ListAuditQuery,
  ListAuditResponse,
  UpdateAuditSettingsBody,
} from './schemas.ts'

/** How long events are kept (contract, audit). */
const KEPT_MS = 365 * 24 * 3600_000
/** A statement of housekeeping removes so many at most, so that writers need not wait long. */
const PURGE_ROWS = 5000

type Options = { db: Db; onKeysChanged: () => void; clock?: Clock }

/** The append-only log of who changed what. */
export class AuditService {
  readonly #db: Db
  readonly #onKeysChanged: () => void
  readonly #clock: Clock

  constructor({ db, onKeysChanged, clock = systemClock }: Options) {
    this.#db = db
    this.#onKeysChanged = onKeysChanged
    this.#clock = clock
  }

  /** Newest first; `start` and `end` are inclusive. */
  async list(scope: OrganizationScope, query: ListAuditQuery, page: PageRequest): Promise<ListAuditResponse> {
    const { limit, offset } = page
    return inSnapshot(this.#db, async (trx) => {
      let events = trx.selectFrom('audit_events').where('organization_id', '=', scope.organizationId)
      for (const member of ['resource_type', 'resource_id', 'actor_id', 'action', 'status'] as const) {
        const value = query[member]
        // The contract's enums ignore case, and all of their values are in lower case.
        const wanted = member === 'action' || member === 'resource_type' ? value?.toLowerCase() : value
        if (wanted) events = events.where(member, '=', wanted)
      }
      if (query.start) events = events.where('timestamp', '>=', toTimestamp(parseInstant(query.start)!))
      if (query.end) events = events.where('timestamp', '<=', toTimestamp(parseInstant(query.end)!))
      const { total } = await events
        .select((eb) => eb.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow()
      const rows = await events
        .selectAll()
        .orderBy('timestamp', 'desc')
        .orderBy('audit_id')
        .offset(offset)
        .limit(limit)
        .execute()
      return { results: rows.map(present), total: Number(total), skip: offset, limit }
    })
  }

  /** Throws `audit_event_not_found`. */
  async get({ organizationId }: OrganizationScope, audit_id: string): Promise<AuditEvent> {
    const row = await this.#db
      .selectFrom('audit_events')
      .selectAll()
      .where('organization_id', '=', organizationId)
      .where('audit_id', '=', audit_id)
      .executeTakeFirst()
    if (!row) throw new KuraError('audit_event_not_found', { resource: 'audit_event', id: audit_id })
    return present(row)
  }

  async settings(scope: OrganizationScope): Promise<AuditSettings> {
    return { read_auditing_enabled: (await getOrganization(this.#db, scope)).audits_reads === 1 }
  }

  async updateSettings(
    scope: OrganizationScope,
    { read_auditing_enabled }: UpdateAuditSettingsBody,
  ): Promise<AuditSettings> {
    if (typeof read_auditing_enabled !== 'boolean') return this.settings(scope)
    await inTransaction(this.#db, async (trx) => {
      const before = { read_auditing_enabled: (await getOrganization(trx, scope)).audits_reads === 1 }
      await trx
        .updateTable('organizations')
        .set({ audits_reads: Number(read_auditing_enabled), updated_at: timestamp() })
        .where('organization_id', '=', scope.organizationId)
        .execute()
      await recordAudit(trx, scope, {
        action: 'audit_settings_updated',
        resource_type: 'organization',
        resource_id: scope.organizationId,
        changes: changesOf(before, { read_auditing_enabled }, ['read_auditing_enabled']),
      })
    })
    this.#onKeysChanged()
    return { read_auditing_enabled }
  }

  /** Removes events that have been kept long enough; returns how many. */
  async purge(): Promise<number> {
    const before = toTimestamp(this.#clock.now() - KEPT_MS)
    for (let removed = 0; ; ) {
      const { numDeletedRows } = await this.#db
        .deleteFrom('audit_events')
        .where('audit_id', 'in', (eb) =>
          eb.selectFrom('audit_events').select('audit_id').where('timestamp', '<', before).limit(PURGE_ROWS),
        )
        .where('timestamp', '<', before)
        .executeTakeFirst()
      removed += Number(numDeletedRows)
      if (numDeletedRows < BigInt(PURGE_ROWS)) return removed
    }
  }
}

function present({ organization_id: _, changes, ...row }: Selectable<Schema['audit_events']>): AuditEvent {
  return omitNulls({ ...row, changes: changes === null ? null : JSON.parse(changes) })
}

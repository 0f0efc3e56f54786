import type { Selectable } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'

export type ConnectionRow = Selectable<Schema['connections']>

/** Failures in a row after which a connection or a sync is given up. */
export const FAILURES_MAX = 5

/** By id, else by the name of one that is not archived. Throws `connection_not_found`. */
export async function findConnection(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
  identifier: string,
  { lock = false }: { lock?: boolean } = {},
): Promise<ConnectionRow> {
  const query = db
    .selectFrom('connections')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('connection_id', '=', identifier), eb('taken_name', '=', identifier)]))
  const rows = await (lock && dialect(db) === 'postgres' ? query.forUpdate() : query).execute()
  const row = rows.find(({ connection_id }) => connection_id === identifier) ?? rows[0]
  if (!row) throw new KuraError('connection_not_found', { resource: 'connection', id: identifier })
  return row
}

export async function insertConnection(trx: Trx, row: ConnectionRow): Promise<void> {
  await trx.insertInto('connections').values(row).execute()
}

export async function updateConnection(
  db: DbOrTrx,
  { organization_id, connection_id }: Pick<ConnectionRow, 'organization_id' | 'connection_id'>,
  change: Partial<ConnectionRow>,
): Promise<void> {
  await db
    .updateTable('connections')
    .set(change)
    .where('organization_id', '=', organization_id)
    .where('connection_id', '=', connection_id)
    .execute()
}

/** Keeps what a use of the connection showed: success forgets failures, the fifth failure in a row ends it. */
export async function recordUse(
  trx: Trx,
  scope: OrganizationScope,
  connection_id: string,
  error: string | null,
): Promise<ConnectionRow> {
  const row = await findConnection(trx, scope, connection_id, { lock: true })
  const consecutive_failures = error === null ? 0 : row.consecutive_failures + 1
  const failed = consecutive_failures >= FAILURES_MAX && row.status === 'ACTIVE'
  const revived = error === null && row.status === 'FAILED'
  const status = failed ? 'FAILED' : revived ? 'ACTIVE' : row.status
  const change = {
    consecutive_failures,
    status,
    last_error: error?.slice(0, 1000) ?? null,
    last_used_at: timestamp(),
  }
  await updateConnection(trx, row, change)
  return { ...row, ...change }
}

/** Every connection of the organization: people make them, so they are few. */
export function listConnections(
  db: DbOrTrx,
  { organizationId }: OrganizationScope,
): Promise<ConnectionRow[]> {
  return db.selectFrom('connections').selectAll().where('organization_id', '=', organizationId).execute()
}

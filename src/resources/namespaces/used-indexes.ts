import { type Clock, systemClock, timestamp, toTimestamp } from '../../core/time.ts'
import { ensurePayloadIndexes, hasIndexRoom } from '../../engine/documents/payload-indexes.ts'
import { type Db, type DbOrTrx, inTransaction, type Trx } from '../../platform/db/db.ts'
import { payloadField } from '../../platform/db/filters/field-index.ts'
import { HOUR_MS } from '../../platform/usage/filter-uses.ts'
import { auditNamespace } from './audit.ts'
import { indexTypeOf } from './index-type.ts'
import { isProtected } from './payload-indexes.ts'
import { INDEXES_MAX, type PayloadIndex } from './schemas.ts'
import { lockNamespace, updateNamespace } from './store.ts'

/** A field that filters used more often than this in a day gets an index (contract, namespaces). */
const USES_MAX = 100
const DAY_HOURS = 24
const CHECK_EVERY_MS = 6 * HOUR_MS
/** When the uses were last looked at, in the table of settings. */
const CHECKED = 'filter_uses_checked'

type Wanting = { namespace_id: string; organization_id: string; fields: string[] }

/**
 * Makes payload indexes of the fields that filters use often, in namespaces with `auto_create_indexes`,
 * and forgets uses older than a day. Four times a day, on one of all servers: a call at another time
 * does nothing. Returns how many indexes were made.
 */
export async function createUsedIndexes(db: Db, clock: Clock = systemClock): Promise<number> {
  const now_ms = clock.now()
  const claimed = await claimCheck(db, now_ms)
  if (!claimed) return 0
  try {
    const oldest_hour = Math.floor(now_ms / HOUR_MS) - DAY_HOURS + 1
    await db.deleteFrom('filter_uses').where('hour', '<', oldest_hour).execute()
    let created = 0
    for (const wanting of await findWanting(db))
      for (const field of wanting.fields)
        created += await inTransaction(db, (trx) => addIndex(trx, wanting, field))
    return created
  } catch (error) {
    // Whoever comes next tries again, and need not wait for the next time.
    await db.deleteFrom('settings').where('key', '=', CHECKED).execute()
    throw error
  }
}

/** Of several servers one gets the check of each quarter of a day. */
async function claimCheck(db: Db, now_ms: number): Promise<boolean> {
  const value = toTimestamp(now_ms - (now_ms % CHECK_EVERY_MS))
  const row = await db
    .insertInto('settings')
    .values({ key: CHECKED, value })
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet({ value }).where('settings.value', '<', value),
    )
    .returning('key')
    .executeTakeFirst()
  return row !== undefined
}

/** Namespaces that want indexes, with their fields, most used first. */
async function findWanting(db: DbOrTrx): Promise<Wanting[]> {
  const rows = await db
    .selectFrom('filter_uses')
    .innerJoin('namespaces', 'namespaces.namespace_id', 'filter_uses.namespace_id')
    .select(['namespaces.namespace_id', 'namespaces.organization_id', 'filter_uses.field'])
    .where('namespaces.auto_create_indexes', '=', 1)
    .groupBy(['namespaces.namespace_id', 'namespaces.organization_id', 'filter_uses.field'])
    .having((eb) => eb(eb.fn.sum<number>('filter_uses.uses'), '>', USES_MAX))
    .orderBy((eb) => eb.fn.sum('filter_uses.uses'), 'desc')
    .orderBy('filter_uses.field')
    .execute()
  const wanting = new Map<string, Wanting>()
  for (const { field, ...namespace } of rows) {
    const known = wanting.get(namespace.namespace_id)
    if (known) known.fields.push(field)
    else wanting.set(namespace.namespace_id, { ...namespace, fields: [field] })
  }
  return [...wanting.values()]
}

/**
 * As a user's PATCH would add it, unless the database has no room; one a transaction, since all writers
 * wait while an index is built. Returns how many were made.
 */
async function addIndex(
  trx: Trx,
  { namespace_id, organization_id }: Wanting,
  field_name: string,
): Promise<number> {
  const scope = { organizationId: organization_id, namespaceId: namespace_id }
  const row = await lockNamespace(trx, scope, namespace_id)
  if (row?.status !== 'ACTIVE' || row.auto_create_indexes !== 1 || isProtected(field_name)) return 0
  const indexes = JSON.parse(row.payload_indexes) as PayloadIndex[]
  const isIndexed = indexes.some((index) => payloadField(index.field_name) === field_name)
  if (isIndexed || indexes.length >= INDEXES_MAX || !(await hasIndexRoom(trx, field_name))) return 0
  await ensurePayloadIndexes(trx, [field_name])
  const type = await indexTypeOf(trx, scope, field_name)
  const added: PayloadIndex = { field_name, type, is_protected: false }
  const change = { payload_indexes: JSON.stringify([...indexes, added]), updated_at: timestamp() }
  await updateNamespace(trx, scope, namespace_id, change)
  await auditNamespace(trx, scope, 'namespace_updated', row, { ...row, ...change })
  return 1
}

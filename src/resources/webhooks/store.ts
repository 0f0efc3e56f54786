import type { Selectable, Updateable } from 'kysely'
import type { OrganizationScope } from '../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import type { Schema } from '../../platform/db/schema.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import type { StoredChannel } from './channels.ts'
import { maskConfigs } from './masking.ts'
import type { Webhook } from './schemas.ts'

type Row = Selectable<Schema['webhooks']>

/** A webhook with its channels opened. */
export type WebhookRecord = Omit<Row, 'event_types' | 'channels_sealed' | 'is_active'> & {
  event_types: Webhook['event_types']
  channels: StoredChannel[]
  is_active: boolean
}

/** Which row a sealed text belongs to. */
const contextOf = ({ organization_id, webhook_id }: Pick<Row, 'organization_id' | 'webhook_id'>) =>
  `webhooks ${organization_id} ${webhook_id}`

function open(secrets: SecretBox, row: Row): WebhookRecord {
  const { event_types, channels_sealed, is_active, ...rest } = row
  return {
    ...rest,
    event_types: JSON.parse(event_types),
    channels: JSON.parse(secrets.open(channels_sealed, contextOf(row))),
    is_active: is_active === 1,
  }
}

function seal(secrets: SecretBox, { channels, event_types, is_active, ...rest }: WebhookRecord): Row {
  return {
    ...rest,
    event_types: JSON.stringify(event_types),
    channels_sealed: secrets.seal(JSON.stringify(channels), contextOf(rest)),
    is_active: Number(is_active),
  }
}

/** A webhook as clients see it. */
export function presentWebhook(record: WebhookRecord): Webhook {
  const { webhook_id, webhook_name, event_types, channels, is_active, inactive_reason } = record
  return {
    webhook_id,
    webhook_name,
    event_types,
    channels: channels.map((one) => ({ channel: one.channel, configs: maskConfigs(one) })),
    is_active,
    ...(inactive_reason !== null && { inactive_reason }),
    created_at: record.created_at,
    updated_at: record.updated_at,
  }
}

/** Raises a unique violation when the name is taken. */
export async function insertWebhook(trx: Trx, secrets: SecretBox, record: WebhookRecord): Promise<void> {
  await trx.insertInto('webhooks').values(seal(secrets, record)).execute()
}

/** Replaces all that may change. Raises a unique violation when the name is taken. */
export async function saveWebhook(trx: Trx, secrets: SecretBox, record: WebhookRecord): Promise<void> {
  const { organization_id, webhook_id, created_at: _, ...changes } = seal(secrets, record)
  await trx
    .updateTable('webhooks')
    .set(changes)
    .where('organization_id', '=', organization_id)
    .where('webhook_id', '=', webhook_id)
    .execute()
}

/** Changes members that are not sealed. */
export async function updateWebhook(
  trx: Trx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
  changes: Updateable<
    Pick<Schema['webhooks'], 'is_active' | 'inactive_reason' | 'failed_deliveries' | 'failing_since'>
  >,
): Promise<void> {
  await trx
    .updateTable('webhooks')
    .set(changes)
    .where('organization_id', '=', organizationId)
    .where('webhook_id', '=', webhook_id)
    .execute()
}

/** By id, else by name; with `lock` the row is held until the transaction ends. */
export async function findWebhook(
  db: DbOrTrx,
  secrets: SecretBox,
  { organizationId }: OrganizationScope,
  identifier: string,
  { lock = false }: { lock?: boolean } = {},
): Promise<WebhookRecord | undefined> {
  const query = db
    .selectFrom('webhooks')
    .selectAll()
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('webhook_id', '=', identifier), eb('webhook_name', '=', identifier)]))
  const rows = await (lock && dialect(db) === 'postgres' ? query.forUpdate() : query).execute()
  const row = rows.find(({ webhook_id }) => webhook_id === identifier) ?? rows[0]
  return row && open(secrets, row)
}

export async function listWebhooks(
  db: DbOrTrx,
  secrets: SecretBox,
  { organizationId }: OrganizationScope,
  { only_active = false }: { only_active?: boolean } = {},
): Promise<WebhookRecord[]> {
  let query = db.selectFrom('webhooks').selectAll().where('organization_id', '=', organizationId)
  if (only_active) query = query.where('is_active', '=', 1)
  return (await query.orderBy('webhook_id').execute()).map((row) => open(secrets, row))
}

export async function countWebhooks(db: DbOrTrx, { organizationId }: OrganizationScope): Promise<number> {
  const row = await db
    .selectFrom('webhooks')
    .select((eb) => eb.fn.countAll<number>().as('total'))
    .where('organization_id', '=', organizationId)
    .executeTakeFirstOrThrow()
  return Number(row.total)
}

/** Removes a webhook with its deliveries. */
export async function deleteWebhook(
  trx: Trx,
  { organizationId }: OrganizationScope,
  webhook_id: string,
): Promise<void> {
  for (const table of ['webhook_deliveries', 'webhooks'] as const)
    await trx
      .deleteFrom(table)
      .where('organization_id', '=', organizationId)
      .where('webhook_id', '=', webhook_id)
      .execute()
}

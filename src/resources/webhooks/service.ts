import { randomBytes } from 'node:crypto'
import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { listInMemory } from '../../core/memory-list.ts'
import { checkName } from '../../core/names.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp, toTimestamp } from '../../core/time.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../platform/db/db.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import { type ChannelRules, checkSecret, readChannels } from './channels.ts'
import { cancelPending } from './delivery-store.ts'
import type {
  ListWebhooksBody,
  ListWebhooksResponse,
  PatchWebhookBody,
  RotateSecretBody,
  RotateSecretResponse,
  Webhook,
  WebhookBody,
} from './schemas.ts'
import * as store from './store.ts'
import { presentWebhook, type WebhookRecord } from './store.ts'

/** Every change of data asks all of them, and every event goes to each that listens. */
const WEBHOOKS_MAX = 100
/** Path segments that stand where an identifier may. */
const RESERVED_NAMES = ['list']
/** Secrets that sign at the same time. */
const PREVIOUS_SECRETS_MAX = 2

export type WebhookServiceOptions = { db: Db; secrets: SecretBox; rules: ChannelRules }

/** Webhooks of an organization. Throws `webhook_not_found` wherever an identifier leads nowhere. */
export class WebhookService {
  readonly #db: Db
  readonly #secrets: SecretBox
  readonly #rules: ChannelRules

  constructor({ db, secrets, rules }: WebhookServiceOptions) {
    this.#db = db
    this.#secrets = secrets
    this.#rules = rules
  }

  /** Throws `webhook_name_taken`, `quota_exceeded`, and what `readChannels` throws. */
  async create(scope: OrganizationScope, body: WebhookBody): Promise<Webhook> {
    const webhook_name = nameOf(body.webhook_name)
    const channels = await readChannels(this.#rules, body.channels, [])
    const now = timestamp()
    const record: WebhookRecord = {
      organization_id: scope.organizationId,
      webhook_id: newId.webhook(),
      webhook_name,
      event_types: distinct(body.event_types),
      channels,
      is_active: body.is_active,
      inactive_reason: null,
      failed_deliveries: 0,
      failing_since: null,
      created_at: now,
      updated_at: now,
    }
    await namedUniquely(webhook_name, () =>
      inTransaction(this.#db, async (trx) => {
        if ((await store.countWebhooks(trx, scope)) >= WEBHOOKS_MAX)
          throw new KuraError('quota_exceeded', {
            resource: 'webhooks',
            current: WEBHOOKS_MAX,
            limit: WEBHOOKS_MAX,
          })
        await store.insertWebhook(trx, this.#secrets, record)
      }),
    )
    return presentWebhook(record)
  }

  async get(scope: OrganizationScope, identifier: string): Promise<Webhook> {
    return presentWebhook(await this.find(scope, identifier))
  }

  async find(scope: OrganizationScope, identifier: string): Promise<WebhookRecord> {
    const record = await store.findWebhook(this.#db, this.#secrets, scope, identifier)
    if (!record) throw notFound(identifier)
    return record
  }

  async list(
    scope: OrganizationScope,
    body: ListWebhooksBody,
    page: PageRequest,
  ): Promise<ListWebhooksResponse> {
    const { event_type, is_active, ...query } = body
    const records = await store.listWebhooks(this.#db, this.#secrets, scope)
    const asked = records
      .filter((one) => !event_type || one.event_types.some((type) => type === event_type.toLowerCase()))
      .filter((one) => typeof is_active !== 'boolean' || one.is_active === is_active)
    const { results, matches, pagination } = listInMemory(asked.map(presentWebhook), {
      query,
      page,
      path: '/v1/organizations/webhooks/list',
      id: 'webhook_id',
      texts: ({ webhook_id, webhook_name, event_types }) => [webhook_id, webhook_name, ...event_types],
    })
    return { results, pagination, total: matches.length }
  }

  /** PUT: every member anew. Secrets that come back masked stay as they are. */
  replace(scope: OrganizationScope, identifier: string, body: WebhookBody): Promise<Webhook> {
    return this.#change(scope, identifier, body)
  }

  /** PATCH. Throws `empty_update`. */
  update(scope: OrganizationScope, identifier: string, body: PatchWebhookBody): Promise<Webhook> {
    if (Object.values(body).every((value) => value === undefined)) throw new KuraError('empty_update')
    return this.#change(scope, identifier, body)
  }

  async #change(scope: OrganizationScope, identifier: string, body: PatchWebhookBody): Promise<Webhook> {
    const current = await this.find(scope, identifier)
    const webhook_name = body.webhook_name === undefined ? undefined : nameOf(body.webhook_name)
    // Looking up names takes time that no transaction should wait for.
    const channels = body.channels && (await readChannels(this.#rules, body.channels, current.channels))
    const webhook = await namedUniquely(webhook_name ?? '', () =>
      inTransaction(this.#db, async (trx) => {
        const record = await this.#lock(trx, scope, current.webhook_id)
        // What came back masked stands for what is known now, perhaps a secret that was rotated meanwhile.
        if (channels && record.updated_at !== current.updated_at) return null
        const is_active = body.is_active ?? record.is_active
        const changed: WebhookRecord = {
          ...record,
          ...(webhook_name !== undefined && { webhook_name }),
          ...(body.event_types && { event_types: distinct(body.event_types) }),
          ...(channels && { channels }),
          is_active,
          // Whoever switches it on again gives it a new start.
          ...(is_active && !record.is_active && AFRESH),
          updated_at: timestamp(),
        }
        await store.saveWebhook(trx, this.#secrets, changed)
        if (!is_active) await cancelPending(trx, scope, record.webhook_id, 'The webhook is not active.')
        return presentWebhook(changed)
      }),
    )
    return webhook ?? this.#change(scope, identifier, body)
  }

  /** Idempotent: what is not there is deleted already. */
  async delete(scope: OrganizationScope, identifier: string): Promise<void> {
    await inTransaction(this.#db, async (trx) => {
      const record = await store.findWebhook(trx, this.#secrets, scope, identifier, { lock: true })
      if (record) await store.deleteWebhook(trx, scope, record.webhook_id)
    })
  }

  /** Gives a channel a new signing secret; for a while the old one signs as well. Throws `webhook_channel_unsigned`. */
  async rotateSecret(
    scope: OrganizationScope,
    identifier: string,
    { secret = newSecret(), overlap_seconds, channel_index }: RotateSecretBody,
  ): Promise<RotateSecretResponse> {
    const violations: Violation[] = []
    checkSecret(secret, (member, msg) => violations.push({ loc: ['body', member], msg, type: 'value_error' }))
    if (violations.length > 0) throw new ValidationError(violations)
    const { webhook_id } = await this.find(scope, identifier)
    return inTransaction(this.#db, async (trx) => {
      const record = await this.#lock(trx, scope, webhook_id)
      const channel = record.channels[channel_index]
      if (channel?.channel !== 'webhook') throw new KuraError('webhook_channel_unsigned', { channel_index })
      const now = timestamp()
      const old = channel.configs.secret
      const valid_until = toTimestamp(Date.now() + overlap_seconds * 1000)
      const previous_secrets = [
        ...(old && overlap_seconds > 0 ? [{ secret: old, valid_until }] : []),
        ...(channel.previous_secrets ?? []).filter((one) => one.valid_until > now),
      ].slice(0, PREVIOUS_SECRETS_MAX)
      const channels = record.channels.with(channel_index, {
        ...channel,
        configs: { ...channel.configs, secret },
        previous_secrets,
      })
      await store.saveWebhook(trx, this.#secrets, { ...record, channels, updated_at: now })
      return { secret, ...(old && overlap_seconds > 0 && { previous_secret_valid_until: valid_until }) }
    })
  }

  async #lock(trx: Trx, scope: OrganizationScope, webhook_id: string): Promise<WebhookRecord> {
    const record = await store.findWebhook(trx, this.#secrets, scope, webhook_id, { lock: true })
    if (!record) throw notFound(webhook_id)
    return record
  }
}

const AFRESH = { inactive_reason: null, failed_deliveries: 0, failing_since: null } as const

/** 256 bits in the form of Standard Webhooks. */
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)]

const notFound = (id: string) => new KuraError('webhook_not_found', { resource: 'webhook', id })

function nameOf(text: string): string {
  const violations: Violation[] = []
  const name = checkName(text, ['body', 'webhook_name'], violations, RESERVED_NAMES)
  if (name === undefined) throw new ValidationError(violations)
  return name
}

async function namedUniquely<T>(webhook_name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (isUniqueViolation(error))
      throw new KuraError('webhook_name_taken', { webhook_name }, { cause: error })
    throw error
  }
}

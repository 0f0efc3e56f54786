import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { WEBHOOK_EVENT_TYPES } from '../../core/webhook-events.ts'

export const CHANNELS_MAX = 10
const ADDRESSES_MAX = 50
const TEMPLATE_LENGTH_MAX = 65_536

export const EventType = Type.Enum([...WEBHOOK_EVENT_TYPES], { $id: 'WebhookEventType' })

export const EmailConfig = Type.Object(
  {
    to_addresses: Type.Array(Type.String({ maxLength: 320 }), { minItems: 1, maxItems: ADDRESSES_MAX }),
    subject_template: optional(Type.String({ maxLength: 1000 })),
    body_template: optional(Type.String({ maxLength: TEMPLATE_LENGTH_MAX })),
    content_type: Defaulted(Type.Enum(['plain_text', 'html', 'markdown', 'json']), 'html'),
    cc_addresses: Type.Optional(Type.Array(Type.String({ maxLength: 320 }), { maxItems: ADDRESSES_MAX })),
    bcc_addresses: Type.Optional(Type.Array(Type.String({ maxLength: 320 }), { maxItems: ADDRESSES_MAX })),
  },
  { $id: 'EmailConfig' },
)
export type EmailConfig = Static<typeof EmailConfig>

const slackMembers = {
  channel: optional(Type.String({ maxLength: 200 })),
  username: optional(Type.String({ maxLength: 200 })),
  icon_emoji: optional(Type.String({ maxLength: 200 })),
  icon_url: optional(Type.String({ maxLength: 2048 })),
  blocks_template: optional(Type.String({ maxLength: TEMPLATE_LENGTH_MAX })),
}

/** An incoming webhook of Slack, or a bot that posts to a channel. */
export const SlackConfig = Type.Object(
  {
    webhook_url: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
    bot_token: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    channel_id: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    ...slackMembers,
  },
  { $id: 'SlackConfig' },
)
export type SlackConfig = Static<typeof SlackConfig>

export const WebhookConfig = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 2048 }),
    headers: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 8192 }))),
    payload_template: optional(FreeObject),
    /** Seconds for the whole answer. */
    timeout: Defaulted(Type.Number({ minimum: 0.1, maximum: 30 }), 10),
    /** Signs what is sent; `whsec_` + base64, or any text. */
    secret: optional(Type.String({ minLength: 16, maxLength: 512 })),
  },
  { $id: 'WebhookConfig' },
)
export type WebhookConfig = Static<typeof WebhookConfig>

const Channel = Type.Object(
  {
    channel: Type.Enum(['email', 'slack', 'webhook'], { $id: 'NotificationChannel' }),
    /** EmailConfig, SlackConfig or WebhookConfig, by the channel. */
    configs: FreeObject,
  },
  { $id: 'WebhookChannel' },
)

const members = {
  webhook_id: Type.Optional(Type.String()),
  webhook_name: Type.String({ minLength: 1, maxLength: 200 }),
  event_types: Type.Array(EventType, { minItems: 1, maxItems: 100 }),
  channels: Type.Array(Channel, { minItems: 1, maxItems: CHANNELS_MAX }),
  is_active: Defaulted(Type.Boolean(), true),
}

/** Ids and times are the server's: clients that PUT what they GET may send them, and nothing follows. */
const ignored = {
  internal_id: optional(Type.String()),
  created_at: Type.Optional(Timestamp),
  updated_at: Type.Optional(Timestamp),
}

export const WebhookBody = Type.Object({ ...members, ...ignored }, { $id: 'Webhook-Input' })
export type WebhookBody = Static<typeof WebhookBody>

export const PatchWebhookBody = Type.Object(
  {
    webhook_name: Type.Optional(members.webhook_name),
    event_types: Type.Optional(members.event_types),
    channels: Type.Optional(members.channels),
    is_active: Type.Optional(Type.Boolean()),
  },
  { $id: 'WebhookPatch' },
)
export type PatchWebhookBody = Static<typeof PatchWebhookBody>

export const Webhook = Type.Object(
  {
    ...members,
    webhook_id: Type.String({ pattern: '^wh_[a-fA-F0-9]{16}$' }),
    created_at: Timestamp,
    updated_at: Timestamp,
    /** Why the server switched it off by itself: `gone` (410) or `failing`. */
    inactive_reason: Type.Optional(Type.String()),
  },
  { $id: 'Webhook-Output' },
)
export type Webhook = Static<typeof Webhook>

export const ListWebhooksBody = Type.Object(
  { event_type: optional(Type.String()), is_active: optional(Type.Boolean()), ...ListMembers },
  { $id: 'ListWebhooksRequest' },
)
export type ListWebhooksBody = Static<typeof ListWebhooksBody>

export const ListWebhooksResponse = Type.Object(
  { results: Type.Array(Webhook), pagination: Pagination, total: Type.Integer() },
  { $id: 'ListWebhooksResponse' },
)
export type ListWebhooksResponse = Static<typeof ListWebhooksResponse>

export const RotateSecretBody = Type.Object(
  {
    /** Absent: the server makes one. */
    secret: Type.Optional(Type.String({ minLength: 16, maxLength: 512 })),
    /** How long the old secret signs as well. */
    overlap_seconds: Defaulted(Type.Integer({ minimum: 0, maximum: 7 * 86_400 }), 86_400),
    channel_index: Defaulted(Type.Integer({ minimum: 0, maximum: CHANNELS_MAX - 1 }), 0),
  },
  { $id: 'RotateWebhookSecretRequest' },
)
export type RotateSecretBody = Static<typeof RotateSecretBody>

export const RotateSecretResponse = Type.Object(
  {
    /** Shown this once. */
    secret: Type.String(),
    previous_secret_valid_until: Type.Optional(Timestamp),
  },
  { $id: 'RotateWebhookSecretResponse' },
)
export type RotateSecretResponse = Static<typeof RotateSecretResponse>

import type { Migration } from '../migrate.ts'

/** Events on their way out, webhooks, deliveries, inbound source adapters. */
export const webhooks: Migration = {
  number: 5,
  name: 'webhooks',
  statements: ({ text, json, identity }) => [
    `create table webhooks (
      organization_id ${text} not null, webhook_id ${text} not null, webhook_name ${text} not null,
      event_types ${json} not null, channels_sealed ${text} not null, is_active integer not null, inactive_reason ${text},
      failed_deliveries integer not null, failing_since ${text},
      created_at ${text} not null, updated_at ${text} not null,
      primary key (organization_id, webhook_id), unique (organization_id, webhook_name))`,
    `create table outbox_events (
      event_seq ${identity}, event_id ${text} not null unique, organization_id ${text} not null, namespace_id ${text} not null,
      event_type ${text} not null, occurred_at ${text} not null, subject ${json} not null, metadata ${json} not null,
      cache_scope ${json}, handed_over_at ${text})`,
    'create index outbox_events_waiting on outbox_events (organization_id, event_seq) where handed_over_at is null',
    'create index outbox_events_age on outbox_events (occurred_at)',
    `create table webhook_deliveries (
      organization_id ${text} not null, delivery_id ${text} not null, webhook_id ${text} not null, channel_index integer not null,
      channel ${text} not null, event_id ${text} not null, event_type ${text} not null, status ${text} not null,
      attempt_count integer not null, replay_count integer not null, next_attempt_at ${text}, attempts ${json} not null,
      error ${text}, created_at ${text} not null, completed_at ${text},
      primary key (organization_id, delivery_id), unique (organization_id, webhook_id, event_id, channel_index))`,
    `create index webhook_deliveries_due on webhook_deliveries (organization_id, webhook_id, next_attempt_at)
      where status = 'pending'`,
    `create index webhook_deliveries_newest on webhook_deliveries (organization_id, webhook_id, created_at desc, delivery_id)`,
    // One row an organization: the job that delivers for it, and when a queued one will wake.
    `create table webhook_dispatchers (organization_id ${text} not null primary key, job_id ${text}, wake_at ${text})`,
    `create table source_adapters (
      namespace_id ${text} not null, bucket_id ${text} not null unique, organization_id ${text} not null,
      config_sealed ${text} not null, updated_at ${text} not null,
      primary key (namespace_id, bucket_id))`,
    `create table source_adapter_events (
      namespace_id ${text} not null, bucket_id ${text} not null, event_key ${text} not null, event_id ${text} not null,
      action ${text} not null, source_key ${text}, sequencer ${text}, status ${text} not null, attempt_count integer not null,
      object_id ${text}, error ${text}, item ${json} not null, received_at ${text} not null, updated_at ${text} not null,
      primary key (namespace_id, bucket_id, event_key))`,
    `create index source_adapter_events_newest on source_adapter_events (namespace_id, bucket_id, received_at desc, event_key)`,
    'create index source_adapter_events_age on source_adapter_events (received_at)',
    // Which object a file of the source became, and the last change of it that was applied.
    `create table source_adapter_objects (
      namespace_id ${text} not null, bucket_id ${text} not null, source_key ${text} not null,
      object_id ${text}, sequencer ${text}, updated_at ${text} not null,
      primary key (namespace_id, bucket_id, source_key))`,
  ],
}

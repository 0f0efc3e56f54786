import type { Migration } from '../migrate.ts'

/** Events on their way out, webhooks, deliveries, inbound source adapters. */
export const webhooks: Migration = {
  number: 5,
  name: 'webhooks',
  statements: ({ text, json, identity }) => [
    `create table webhooks (
      organization_id ${text} not null, webhook_id ${text} not null, webhook_name ${text} not null,
      event_types ${json} not null, channels ${json} not null, is_active integer not null,
      created_at ${text} not null, updated_at ${text} not null,
      primary key (organization_id, webhook_id), unique (organization_id, webhook_name))`,
    `create table outbox_events (
      event_seq ${identity}, event_id ${text} not null unique, organization_id ${text} not null, namespace_id ${text} not null,
      event_type ${text} not null, occurred_at ${text} not null, subject ${json} not null, metadata ${json} not null,
      cache_scope ${json})`,
  ],
}

import type { Migration } from '../migrate.ts'

/** Users, keys in full, secrets, audit log, usage. */
export const organizations: Migration = {
  number: 2,
  name: 'organizations',
  statements: ({ text, json }) => [
    `alter table organizations add column logo_url ${text}`,
    `alter table organizations add column billing_email ${text}`,
    // Null: the limits of the configuration.
    `alter table organizations add column rate_limits ${json}`,
    'alter table organizations add column audits_reads integer not null default 0',

    `create table users (
      user_id ${text} primary key, organization_id ${text} not null references organizations,
      email ${text} not null, user_name ${text} not null, avatar_url ${text}, role ${text} not null,
      status ${text} not null, metadata ${json} not null, created_at ${text} not null, updated_at ${text} not null,
      unique (organization_id, email))`,

    // Null: a key of the server itself, until the next start gives it its user.
    `alter table api_keys add column user_id ${text}`,
    `alter table api_keys add column description ${text} not null default ''`,
    'alter table api_keys add column rate_limit_override integer',
    `alter table api_keys add column allowed_origins ${json}`,
    `alter table api_keys add column last_used_at ${text}`,
    `alter table api_keys add column created_by ${text}`,
    `alter table api_keys add column revoked_at ${text}`,
    `alter table api_keys add column revoked_by ${text}`,
    // Set by a rotation with overlap: the key works on, and its name means the new one.
    `alter table api_keys add column replaced_by ${text}`,
    `create unique index api_keys_names on api_keys (user_id, name) where status = 'active' and replaced_by is null`,
    'create index api_keys_organization on api_keys (organization_id, user_id)',

    `create table secrets (
      organization_id ${text} not null references organizations, secret_name ${text} not null, sealed ${text} not null,
      created_at ${text} not null, updated_at ${text} not null,
      primary key (organization_id, secret_name))`,

    `create table audit_events (
      organization_id ${text} not null, audit_id ${text} not null, timestamp ${text} not null, action ${text} not null,
      resource_type ${text} not null, resource_id ${text} not null, actor_id ${text} not null, actor_type ${text} not null,
      status ${text} not null, changes ${json}, ip_address ${text}, user_agent ${text},
      primary key (organization_id, audit_id))`,
    'create index audit_events_newest on audit_events (organization_id, timestamp desc, audit_id)',
    'create index audit_events_age on audit_events (timestamp)',

    `create table usage_days (
      organization_id ${text} not null, day ${text} not null, key_id ${text} not null, endpoint ${text} not null,
      category ${text} not null, requests bigint not null, errors bigint not null, latency_ms_sum double precision not null,
      ms_1 bigint not null, ms_2 bigint not null, ms_5 bigint not null, ms_10 bigint not null, ms_25 bigint not null,
      ms_50 bigint not null, ms_100 bigint not null, ms_250 bigint not null, ms_500 bigint not null,
      ms_1000 bigint not null, ms_2500 bigint not null, ms_10000 bigint not null, ms_more bigint not null,
      primary key (organization_id, day, key_id, endpoint))`,
    'create index usage_days_age on usage_days (day)',
  ],
}

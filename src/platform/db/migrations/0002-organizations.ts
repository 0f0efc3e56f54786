import type { Migration } from '../migrate.ts'

/** Users, keys in full, secrets, audit log, usage. */
export const organizations: Migration = {
  number: 2,
  name: 'organizations',
  statements: ({ text, json }) => [
    `create table audit_events (
      organization_id ${text} not null, audit_id ${text} not null, timestamp ${text} not null, action ${text} not null,
      resource_type ${text} not null, resource_id ${text} not null, actor_id ${text} not null, actor_type ${text} not null,
      status ${text} not null, changes ${json}, ip_address ${text}, user_agent ${text},
      primary key (organization_id, audit_id))`,
    'create index audit_events_newest on audit_events (organization_id, timestamp desc, audit_id)',
  ],
}

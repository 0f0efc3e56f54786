import type { Migration } from '../migrate.ts'

/** What filters of documents ask for, and which schema of its bucket an object was checked against. */
export const filterUses: Migration = {
  number: 9,
  name: 'filter-uses',
  statements: ({ text }) => [
    `create table filter_uses (
      namespace_id ${text} not null, field ${text} not null, hour integer not null, uses integer not null,
      primary key (namespace_id, field, hour))`,
    'create index filter_uses_by_hour on filter_uses (hour)',
    'alter table buckets add column schema_version integer not null default 0',
  ],
}

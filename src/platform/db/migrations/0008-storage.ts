import type { Migration } from '../migrate.ts'

/** Storage classes of files. */
export const storage: Migration = {
  number: 8,
  name: 'storage',
  statements: ({ text }) => [`alter table files add column storage_class ${text}`],
}

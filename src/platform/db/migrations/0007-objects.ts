import type { Migration } from '../migrate.ts'

/** Buckets, objects and namespaces, complete. */
export const objects: Migration = {
  number: 7,
  name: 'objects',
  statements: () => [
    // Clones share bytes: before bytes go, and in the sweep, their other rows are looked for.
    'create index files_by_storage_key on files (storage_key) where storage_key is not null',
  ],
}

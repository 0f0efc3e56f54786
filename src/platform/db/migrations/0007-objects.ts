import type { Migration } from '../migrate.ts'

/** Buckets, objects and namespaces, complete. */
export const objects: Migration = {
  number: 7,
  name: 'objects',
  statements: () => [],
}

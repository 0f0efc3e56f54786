import type { Migration } from '../migrate.ts'

/** Presigned and resumable uploads. */
export const uploads: Migration = {
  number: 3,
  name: 'uploads',
  statements: () => [],
}

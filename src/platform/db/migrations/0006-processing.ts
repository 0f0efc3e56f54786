import type { Migration } from '../migrate.ts'

/** Lanes of jobs, logs and health of batches. */
export const processing: Migration = {
  number: 6,
  name: 'processing',
  statements: () => [],
}

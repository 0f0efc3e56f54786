import type { Migration } from '../migrate.ts'

/** What a canceled batch had not done, so that a retry can go on with it. */
export const heldWork: Migration = {
  number: 10,
  name: 'held-work',
  statements: ({ text }) => [`alter table batch_tiers add column held_jobs ${text}`],
}

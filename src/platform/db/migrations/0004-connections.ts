import type { Migration } from '../migrate.ts'

/** Connections, syncs and what they have seen. */
export const connections: Migration = {
  number: 4,
  name: 'connections',
  statements: () => [],
}

/** Connections and syncs. */
export type ConnectionTables = {}

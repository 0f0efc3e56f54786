import type { DatabaseSync } from 'node:sqlite'

export function registerFilterFunctions(_database: DatabaseSync): void {}

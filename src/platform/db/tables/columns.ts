import type { ColumnType } from 'kysely'

/** JSON text on both databases: parse with JSON.parse, write with JSON.stringify. */
export type Json = string
/** Text from `timestamp()`. */
export type Instant = string
/** 0 or 1. */
export type Flag = ColumnType<number, number | boolean, number | boolean>

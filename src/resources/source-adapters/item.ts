import { hash } from 'node:crypto'
import { parsePath, valuesAt } from '../../core/filters/path.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'

/** One thing that an event tells of: what the object made from it holds. */
export type Item = {
  /** What makes the same event known again. */
  event_key: string
  event_id: string
  action: 'put' | 'remove'
  /** The thing in the source; null: every item is an object of its own. */
  source_key: string | null
  /** Comparable with those of the same source key; null: the order is not known. */
  sequencer: string | null
  fields: JsonObject
  blobs: { property: string; data: JsonValue }[]
}

/** What an event holds: items to take in, and how many things in it nobody asked for. */
export type Reading = { items: Item[]; ignored: number }

/** Items of one event. */
export const ITEMS_MAX = 1000

/** Event keys are of equal length, whatever they are made from. */
export const eventKey = (...parts: readonly unknown[]): string =>
  hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 32)

/** The value at a path of an event; `$` and `$.` at its begin mean the event itself. */
export function valueAt(root: unknown, path: string): JsonValue | undefined {
  const bare = path.replace(/^\$\.?/, '')
  return (bare === '' ? root : valuesAt(root, parsePath(bare))[0]) as JsonValue | undefined
}

type Source = string | { value: unknown }

/** The members of an object by their sources; what the event does not hold is left out. */
export function mapFields(root: unknown, fields: Readonly<Record<string, Source>>): JsonObject {
  const result: JsonObject = {}
  for (const [name, source] of Object.entries(fields)) {
    const value = typeof source === 'string' ? valueAt(root, source) : (source.value as JsonValue)
    if (value !== undefined) result[name] = value
  }
  return result
}

import { isDeepStrictEqual } from 'node:util'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { JsonAdapterConfig } from './config.ts'
import { eventKey, type Item, mapFields, type Reading, valueAt } from './item.ts'

/** Reads any JSON by the mapping of the adapter. `given_id` is the id that the sender's headers tell, or one of the bytes. */
export function readJson(config: JsonAdapterConfig, body: unknown, given_id: string): Reading {
  const found = config.items ? valueAt(body, config.items) : (body as JsonValue)
  const all = Array.isArray(found) ? found : [found]
  const read = all.map((item, index) =>
    isObject(item) ? readItem(config, { body, item: item as JsonObject, index, given_id }) : null,
  )
  const items = read.filter((item) => item !== null)
  return { items, ignored: read.length - items.length }
}

type Place = { body: unknown; item: JsonObject; index: number; given_id: string }

function readItem(config: JsonAdapterConfig, { body, item, index, given_id }: Place): Item | null {
  const { removed } = config
  const isRemoval =
    removed?.values.some((value) => isDeepStrictEqual(value, valueAt(item, removed.path))) ?? false
  if (isRemoval && config.on_removed === 'ignore') return null
  const own_id = config.event_id ? textOf(valueAt(item, config.event_id)) : null
  const event_id = own_id ?? (config.event_id ? textOf(valueAt(body, config.event_id)) : null) ?? given_id
  const source_key = config.source_key ? textOf(valueAt(item, config.source_key)) : null
  return {
    // An id of the item stands alone; one of the whole event is shared by its items.
    event_key: own_id !== null ? eventKey(own_id) : eventKey(event_id, index),
    event_id: event_id.slice(0, 512).toWellFormed(),
    action: isRemoval ? 'remove' : 'put',
    source_key,
    sequencer: config.sequencer ? sequencerOf(valueAt(item, config.sequencer)) : null,
    fields: config.fields ? mapFields(item, config.fields) : item,
    blobs: (config.blobs ?? []).flatMap(({ property, data }) => {
      const value = valueAt(item, data)
      return value === undefined || value === null ? [] : [{ property, data: value }]
    }),
  }
}

/** Ids are texts or numbers; a longer one than any sender has is cut by its hash. */
function textOf(value: JsonValue | undefined): string | null {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string' || value === '') return null
  return value.length <= 1024 ? value : eventKey(value)
}

/** Numbers compare by value, all else by text (times in ISO 8601 among them). */
function sequencerOf(value: JsonValue | undefined): string | null {
  const digits = typeof value === 'number' ? String(value) : value
  if (typeof digits === 'string' && /^\d{1,30}$/.test(digits)) return `num:${digits.padStart(30, '0')}`
  return typeof value === 'string' && value !== '' ? `text:${value.slice(0, 200).toWellFormed()}` : null
}

import type { JsonObject } from '../../core/json.ts'
import type { NewEvent } from '../../platform/events/outbox.ts'
import type { StoredObject } from './stored-object.ts'
import type { WriteResult, Written } from './write.ts'

/** Fields of the user that an event carries (contract, webhooks), as JSON text. */
const FIELDS_BYTES_MAX = 16 * 1024

/** Something happened to one object. */
export function objectEvent(
  event_type: 'object.created' | 'object.updated' | 'object.deleted',
  object: StoredObject,
): NewEvent {
  const { object_id, bucket_id, fields } = object
  return {
    event_type,
    subject: { type: 'object', id: object_id },
    // Looked at only when somebody listens.
    get metadata() {
      return { ...boundedFields(fields), bucket_id }
    },
    cache_scope: { scope: 'bucket', bucket_id },
  }
}

/**
 * What a request has made and changed: each object of a single create, all objects of a batch in one
 * event, and every object that the request met by its unique key.
 */
export function creationEvents(
  results: readonly WriteResult[],
  { together }: { together: boolean },
): NewEvent[] {
  const written = results.filter((result): result is Written => 'object' in result)
  const of = (how: Written['how']) => written.filter((one) => one.how === how).map(({ object }) => object)
  const created = of('created')
  return [
    ...(together ? batchEvent(created) : created.map((object) => objectEvent('object.created', object))),
    ...of('updated').map((object) => objectEvent('object.updated', object)),
  ]
}

function batchEvent(created: readonly StoredObject[]): NewEvent[] {
  const [first] = created
  if (!first) return []
  const { bucket_id } = first
  const ids = created.map(({ object_id }) => object_id)
  return [
    {
      event_type: 'objects.created.batch',
      subject: { type: 'bucket', id: bucket_id },
      metadata: { bucket_id, object_count: ids.length, object_ids: ids },
      cache_scope: { scope: 'bucket', bucket_id },
    },
  ]
}

/** The fields in their order as far as they fit; `truncated` says that some did not. */
function boundedFields(fields: JsonObject): JsonObject {
  let bytes = 2
  const kept: JsonObject = {}
  for (const [name, value] of Object.entries(fields)) {
    const size_bytes = Buffer.byteLength(JSON.stringify(name)) + Buffer.byteLength(JSON.stringify(value)) + 2
    if (bytes + size_bytes > FIELDS_BYTES_MAX) {
      kept.truncated = true
      continue
    }
    bytes += size_bytes
    kept[name] = value
  }
  return kept
}

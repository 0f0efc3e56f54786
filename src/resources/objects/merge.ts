import type { BlobEntry } from '../../core/blob-entry.ts'
import { valueError } from '../../core/errors.ts'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { PreparedBlob } from './blob-reader.ts'
import type { ObjectRequest } from './request.ts'
import type { StoredObject } from './stored-object.ts'

/**
 * Fields of an object after PUT or PATCH: given members replace theirs, `metadata` is merged at its
 * top level. In PATCH null removes a member; in PUT it is a value.
 */
export function mergeFields(
  current: JsonObject,
  given: JsonObject,
  { null_removes }: { null_removes: boolean },
): JsonObject {
  const fields = { ...current }
  for (const [name, value] of Object.entries(given)) {
    if (name === 'metadata' && isObject(value)) {
      const before = isObject(fields.metadata) ? (fields.metadata as JsonObject) : {}
      fields.metadata = assign(before, value as JsonObject, null_removes)
    } else assignMember(fields, name, value, null_removes)
  }
  return fields
}

function assign(current: JsonObject, given: JsonObject, null_removes: boolean): JsonObject {
  const result = { ...current }
  for (const [name, value] of Object.entries(given)) assignMember(result, name, value, null_removes)
  return result
}

function assignMember(target: JsonObject, name: string, value: JsonValue, null_removes: boolean): void {
  if (value === null && null_removes) delete target[name]
  else target[name] = value
}

/**
 * Blobs of an object after an update: given ones replace all of the same property and stand where
 * the first of those stood; a kept one names a blob that is there.
 */
export function mergeBlobs(
  current: readonly BlobEntry[],
  given: readonly PreparedBlob[],
  { loc }: Pick<ObjectRequest, 'loc'>,
): BlobEntry[] {
  const byProperty = new Map<string, BlobEntry[]>()
  for (const blob of given) {
    const entry = blob.kind === 'entry' ? blob.entry : current.find(({ blob_id }) => blob_id === blob.blob_id)
    if (!entry)
      throw valueError([...loc, 'blobs'], 'Send data or upload_id: the object has no blob of this id')
    byProperty.set(entry.property, [...(byProperty.get(entry.property) ?? []), entry])
  }
  const result = current.flatMap((entry) => {
    const replacing = byProperty.get(entry.property)
    if (!replacing) return [entry]
    byProperty.set(entry.property, [])
    return replacing
  })
  return [...result, ...[...byProperty.values()].flat()]
}

/** Whether two lists hold the same blobs in the same order. */
export const sameBlobs = (a: StoredObject['blobs'], b: StoredObject['blobs']): boolean =>
  a.length === b.length && a.every((blob, i) => blob.blob_id === b[i]!.blob_id)

import type { BlobEntry } from '../../core/blob-entry.ts'
import { copyPath } from '../../core/copy-path.ts'
import { objectField } from '../../core/filters/object-fields.ts'
import { valuesAt } from '../../core/filters/path.ts'
import { omitNulls } from '../../core/json.ts'
import type { BucketRecord } from '../buckets/index.ts'
import type { ListObjectsResponse, ObjectResponse } from './schemas.ts'
import type { StoredObject } from './stored-object.ts'
import type { Written } from './write.ts'

/** Makes the temporary address of a stored file. */
export type Presign = (file_id: string) => string

export type SelectedObject = ListObjectsResponse['results'][number]

/** The wire form of an object: members of the user at the root, beside ours. */
export function presentObject(object: StoredObject, presign: Presign | null = null): ObjectResponse {
  const { size_bytes: _, unique_key_hash: __, fields, blobs, ...rest } = object
  return {
    ...fields,
    ...omitNulls(rest),
    blobs: blobs.map((blob) => presentBlob(blob, presign)),
  } as ObjectResponse
}

/** Buckets with a unique key tell whether the object is new (contract, unique key). */
export function presentWritten({ unique_key }: BucketRecord, { object, how }: Written): ObjectResponse {
  return { ...presentObject(object), ...(unique_key && { created: how === 'created' }) }
}

/** What a blob shows whatever is selected of it: without them no client can read it. */
const BLOB_ALWAYS = [
  ['blobs', 'property'],
  ['blobs', 'type'],
]

/** The selected members of a presented object; its ids are always among them. */
export function selectMembers(object: ObjectResponse, names: readonly string[]): SelectedObject {
  const { object_id, bucket_id } = object
  const result: SelectedObject = { object_id, bucket_id }
  for (const name of names) {
    const place = objectField(name).find((path) => valuesAt(object, path).length > 0)
    if (!place) continue
    copyPath(result, object, place)
    if (place[0] === 'blobs') for (const path of BLOB_ALWAYS) copyPath(result, object, path)
  }
  return result
}

function presentBlob(blob: BlobEntry, presign: Presign | null): ObjectResponse['blobs'][number] {
  const { blob_id, property, key_prefix, type, properties, details, metadata, file_id } = blob
  return {
    blob_id,
    property,
    ...(key_prefix !== null && { key_prefix }),
    type: type as ObjectResponse['blobs'][number]['type'],
    properties: {
      ...metadata,
      ...properties,
      ...(presign && file_id !== null && { presigned_url: presign(file_id) }),
    },
    details: omitNulls(details) as ObjectResponse['blobs'][number]['details'],
  }
}

import { canonicalFieldType } from '../../core/bucket-schema.ts'
import { isObject } from '../../core/json.ts'

/** Rewrites spellings that clients send: `url` for `data`, legacy types, a bare string as root `blob`. */
export function normalizeObject(body: unknown): unknown {
  if (!isObject(body)) return body
  if (body.blobs === undefined && body.blob === undefined) return body
  const result = { ...body }
  if (Array.isArray(body.blobs)) result.blobs = body.blobs.map(normalizeBlob)
  if (typeof body.blob === 'string') result.blob = { data: body.blob }
  else if (body.blob !== undefined) result.blob = normalizeBlob(body.blob)
  return result
}

export function normalizeObjects(body: unknown): unknown {
  if (!isObject(body) || !Array.isArray(body.objects)) return body
  return { ...body, objects: body.objects.map(normalizeObject) }
}

function normalizeBlob(blob: unknown): unknown {
  if (!isObject(blob)) return blob
  const { url, ...result } = blob
  if (url !== undefined && url !== null && isAbsent(blob.data)) result.data = url
  if (typeof blob.type === 'string') result.type = canonicalFieldType(blob.type)
  return result
}

const isAbsent = (value: unknown) => value === undefined || value === null

import { KuraError, ValidationError, type Violation } from '../../../core/errors.ts'
import { validator } from '../../../core/validation.ts'
import { CreateUploadBody, Policy } from '../schemas.ts'

/** Upload-Metadata, decoded. */
export type TusMetadata = Record<string, string | null>

export type TusRequest = { bucket: string; policy: Policy | null; body: CreateUploadBody }

/** Names under which clients send what an upload is (`filetype` is that of browser libraries). */
const FILENAME = ['filename', 'name', 'relativePath']
const CONTENT_TYPE = ['content_type', 'filetype', 'type', 'contentType']
const JSON_MEMBERS = ['metadata', 'object_metadata'] as const
const TEXT_MEMBERS = [
  'blob_property',
  'blob_type',
  'file_hash',
  'skip_duplicates',
  'create_object_on_confirm',
] as const

/**
 * What creates an upload, from the metadata of a resumable one: the members of the create request by
 * their names, objects as JSON, and `bucket`. Throws 422 with every fault, at `header`, `upload-metadata`.
 */
export function readTusMetadata(metadata: TusMetadata, file_size_bytes: number): TusRequest {
  const loc = ['header', 'upload-metadata']
  const violations: Violation[] = []
  const first = (names: readonly string[]) => names.map((name) => metadata[name]).find((value) => value)
  const bucket = first(['bucket', 'bucket_id', 'bucket_name'])
  if (!bucket) violations.push({ loc: [...loc, 'bucket'], msg: 'Field required', type: 'missing' })
  const given: Record<string, unknown> = {
    filename: first(FILENAME),
    content_type: first(CONTENT_TYPE) ?? 'application/octet-stream',
    file_size_bytes,
  }
  for (const name of TEXT_MEMBERS) if (metadata[name]) given[name] = metadata[name]
  for (const name of JSON_MEMBERS) given[name] = readJson(metadata[name], [...loc, name], violations)
  const body = validator(CreateUploadBody)(withoutUndefined(given), loc, violations) as CreateUploadBody
  const policy = validator(Policy)(metadata.policy ?? 'insert', [...loc, 'policy'], violations) as Policy
  if (violations.length > 0) throw new ValidationError(violations)
  refuseUnstorable(metadata)
  return { bucket: bucket!, policy: metadata.policy ? policy : null, body }
}

function readJson(
  text: string | null | undefined,
  loc: (string | number)[],
  violations: Violation[],
): unknown {
  if (!text) return undefined
  try {
    return JSON.parse(text)
  } catch {
    violations.push({ loc, msg: 'Input should be a JSON object', type: 'json_invalid' })
    return undefined
  }
}

/** No database takes these characters, also not as escapes inside JSON. */
function refuseUnstorable(metadata: TusMetadata): void {
  for (const value of Object.values(metadata)) {
    if (
      value !== null &&
      (value.includes('\0') || /\\u(?:0000|d[89a-f])/i.test(value) || !value.isWellFormed())
    )
      throw new KuraError('bad_request', {
        reason: 'Upload-Metadata holds characters that cannot be stored.',
      })
  }
}

const withoutUndefined = (value: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined))

import { KuraError } from '../../core/errors.ts'

/** What of an error of the S3 client tells its kind; the rest stays in `cause`. */
type S3Fault = {
  name?: string
  code?: string
  Code?: string
  $metadata?: { httpStatusCode?: number }
}

/** Why the store could not do it: for the operator, and for what may be tried again. */
export type S3Reason = {
  reason: string
  /** Waiting may help; a wrong setting it will not mend. */
  temporary: boolean
}

const REFUSED =
  /^(?:InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|InvalidToken|ExpiredToken|XAdminUserNotFound|403)$/
const UNREACHABLE = /^(?:ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|TimeoutError)/

/** The name under which S3 or the network tells what went wrong. */
export function faultName(error: unknown): string {
  const { name, code, Code } = error as S3Fault
  return Code ?? (name === 'Error' || name === 'AggregateError' ? (code ?? name) : (name ?? 'Error'))
}

export const isMissing = (error: unknown) => /^(?:NoSuchKey|NotFound|404)$/.test(faultName(error))

export const isMissingUpload = (error: unknown) => faultName(error) === 'NoSuchUpload' || isMissing(error)

/** An error of the S3 client as one of ours, with the original as its cause. */
export function s3Error(error: unknown, bucket: string): unknown {
  if (error instanceof KuraError || (error as Error).name === 'AbortError') return error
  const name = faultName(error)
  if (name === 'InvalidObjectState') return new KuraError('file_archived', {}, { cause: error })
  if (name === 'InvalidStorageClass') return new KuraError('storage_class_refused', {}, { cause: error })
  return new KuraError('storage_unavailable', s3Reason(error, bucket), { cause: error })
}

export function s3Reason(error: unknown, bucket: string): S3Reason {
  const name = faultName(error)
  const status = (error as S3Fault).$metadata?.httpStatusCode ?? 0
  if (name === 'NoSuchBucket') return wrong(`there is no bucket "${bucket}"`)
  if (REFUSED.test(name) || status === 401 || status === 403)
    return wrong(`it refuses the access key or does not allow it to use the bucket "${bucket}" (${name})`)
  if (name === 'CredentialsProviderError') return wrong('no access key is configured')
  if (name === 'ENOTFOUND') return wrong('no such host is known')
  if (name === 'PermanentRedirect' || name === 'AuthorizationHeaderMalformed' || status === 301)
    return wrong(`the bucket "${bucket}" lies in another region (${name})`)
  if (UNREACHABLE.test(name)) return later(`it cannot be reached (${name})`)
  if (status === 429 || status >= 500 || name === 'SlowDown')
    return later(`it is overloaded or fails (${name})`)
  return wrong(`it answers ${name}`)
}

const wrong = (reason: string): S3Reason => ({ reason, temporary: false })
const later = (reason: string): S3Reason => ({ reason, temporary: true })

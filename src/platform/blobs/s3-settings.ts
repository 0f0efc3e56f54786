import { KuraError } from '../../core/errors.ts'

/** How the S3 store is reached. What is absent comes from the usual AWS environment, files and roles. */
export type S3Settings = {
  bucket: string
  /** Empty, or ending in a slash. */
  prefix: string
  endpoint: string | undefined
  region: string | undefined
  /** The bucket is in the path instead of the host name. */
  path_style: boolean
  credentials: { accessKeyId: string; secretAccessKey: string } | undefined
  /** Whether clients may be given addresses of the store itself. */
  presign: boolean
  /** Where clients reach the store, when that is not the endpoint. */
  public_endpoint: string | undefined
}

/** The settings of `config.ts` that concern S3. */
export type S3Config = {
  storage_url: string
  s3_endpoint?: string
  s3_region?: string
  s3_path_style?: boolean
  s3_access_key_id?: string
  s3_secret_access_key?: string
  s3_presign: boolean
  s3_public_endpoint?: string
}

const ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/
const PREFIX = /^(?:[A-Za-z0-9_.-]+\/)*$/

/** Reads `s3://bucket/prefix` and the settings beside it. Throws `config_invalid` with what to change. */
export function s3Settings(config: S3Config): S3Settings {
  const [, bucket, path = ''] = ADDRESS.exec(config.storage_url) ?? []
  if (!bucket) throw invalid(`The storage URL must read s3://<bucket>/<prefix>, not "${config.storage_url}".`)
  const prefix = path === '' ? '' : `${path.replace(/\/+$/, '')}/`
  if (!PREFIX.test(prefix) || prefix.split('/').includes('..'))
    throw invalid(`The prefix of the storage URL may hold letters, digits and _.- only, not "${path}".`)
  return {
    bucket,
    prefix,
    endpoint: address('KURA_S3_ENDPOINT', config.s3_endpoint),
    // Stores of others rarely have regions, but a signature always names one.
    region: config.s3_region ?? (config.s3_endpoint ? 'us-east-1' : undefined),
    path_style: config.s3_path_style ?? config.s3_endpoint !== undefined,
    credentials: credentials(config),
    presign: config.s3_presign,
    public_endpoint: address('KURA_S3_PUBLIC_ENDPOINT', config.s3_public_endpoint),
  }
}

function address(setting: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  if (!/^https?:$/.test(URL.parse(value)?.protocol ?? ''))
    throw invalid(`${setting} must be an address such as https://s3.example.com, not "${value}".`)
  return value
}

function credentials({ s3_access_key_id, s3_secret_access_key }: S3Config): S3Settings['credentials'] {
  if (s3_access_key_id && s3_secret_access_key)
    return { accessKeyId: s3_access_key_id, secretAccessKey: s3_secret_access_key }
  if (s3_access_key_id || s3_secret_access_key)
    throw invalid('Set KURA_S3_ACCESS_KEY_ID and KURA_S3_SECRET_ACCESS_KEY together, or neither.')
  return undefined
}

const invalid = (reason: string) => new KuraError('config_invalid', { reason })

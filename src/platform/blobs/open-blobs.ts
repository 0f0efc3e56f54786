import { randomUUID } from 'node:crypto'
import { KuraError } from '../../core/errors.ts'
import type { BlobStore } from './blobs.ts'
import { FileBlobStore } from './file-blobs.ts'
import { S3BlobStore } from './s3-blobs.ts'
import { type S3Config, s3Settings } from './s3-settings.ts'

/** The store of an address: `file:<path>` or `s3://<bucket>/<prefix>`. Others are refused (`config_invalid`). */
export function openBlobs(config: S3Config): BlobStore {
  const url = config.storage_url
  if (url.startsWith('file:')) return new FileBlobStore(url.slice('file:'.length))
  if (url.startsWith('s3:')) return new S3BlobStore(s3Settings(config))
  throw new KuraError('config_invalid', {
    reason: `The storage URL must start with file: or s3://, not "${url.split(':')[0]}:".`,
  })
}

/**
 * Tries a remote store before a server starts on it. A wrong setting throws `config_invalid` with what
 * to change; a store that is down for now is only reported, as searches do without it.
 */
export async function tryBlobs(
  blobs: BlobStore,
  storage_url: string,
  log: { warn(details: object, message: string): void },
): Promise<void> {
  if (storage_url.startsWith('file:')) return
  const key = `probe/${randomUUID()}`
  try {
    await blobs.check()
    await blobs.put(key, probe(), { limit_bytes: 100 })
    await blobs.delete(key)
  } catch (err) {
    const details = err instanceof KuraError ? err.details : {}
    if (details.temporary) return log.warn({ err }, 'The file store is not available; starting without it.')
    throw new KuraError('config_invalid', { reason: advice(storage_url, err as Error) }, { cause: err })
  }
}

function advice(storage_url: string, error: Error): string {
  const reason = error instanceof KuraError ? (error.details.reason ?? error.message) : error.message
  return `The file store ${storage_url} cannot be used: ${reason}. Check KURA_STORAGE_URL, KURA_S3_ENDPOINT, KURA_S3_REGION and the access key (KURA_S3_ACCESS_KEY_ID with KURA_S3_SECRET_ACCESS_KEY, or the usual AWS environment). Kura must be allowed to list, read, write and delete there.`
}

async function* probe(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('Kura writes this to try its store, and removes it.\n')
}

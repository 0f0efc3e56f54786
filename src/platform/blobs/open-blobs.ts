import { KuraError } from '../../core/errors.ts'
import type { BlobStore } from './blobs.ts'
import { FileBlobStore } from './file-blobs.ts'

/** The store of an address: `file:<path>`. Others are refused by name (`config_invalid`). */
export function openBlobs(url: string): BlobStore {
  if (url.startsWith('file:')) return new FileBlobStore(url.slice('file:'.length))
  throw new KuraError('config_invalid', {
    reason: `The storage URL must start with file:, not "${url.split(':')[0]}:".`,
  })
}

import { KuraError } from '../../core/errors.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import { BlobReader, type FindUpload } from './blob-reader.ts'
import { type OpenAddress, UrlFetcher } from './fetch-url.ts'
import { ObjectWrites, type ProcessObjects } from './object-writes.ts'
import { ObjectService } from './service.ts'

export type ObjectServiceDeps = {
  db: Db
  files: Files
  http: HttpClient
  config: { inline_blob_limit_bytes: number; url_blob_limit_bytes: number }
  process: ProcessObjects
  /** Blobs given by `upload_id`; without it there are no uploads. */
  findUpload?: FindUpload
  /** Blobs given by an address of an object store; without it no connection covers any. */
  openAddress?: OpenAddress
}

/** Puts the parts of the resource together. */
export function createObjectService(deps: ObjectServiceDeps): ObjectService {
  const { db, files, http, config, process, findUpload = noUpload, openAddress = async () => null } = deps
  const urls = new UrlFetcher({ http, files, openAddress, limit_bytes: config.url_blob_limit_bytes })
  const inline_limit_bytes = config.inline_blob_limit_bytes
  const reader = new BlobReader({ files, urls, findUpload, inline_limit_bytes })
  return new ObjectService({ db, files, reader, writes: new ObjectWrites({ db, files, process }) })
}

const noUpload: FindUpload = async (_scope, _bucket_id, id) => {
  throw new KuraError('upload_not_found', { resource: 'upload', id })
}

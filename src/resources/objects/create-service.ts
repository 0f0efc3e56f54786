import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import { BlobReader } from './blob-reader.ts'
import { UrlFetcher } from './fetch-url.ts'
import { ObjectWrites } from './object-writes.ts'
import { ObjectService, type ProcessObjects } from './service.ts'

export type ObjectServiceDeps = {
  db: Db
  files: Files
  http: HttpClient
  config: { inline_blob_limit_bytes: number; url_blob_limit_bytes: number }
  process: ProcessObjects
}

/** Puts the parts of the resource together. */
export function createObjectService({ db, files, http, config, process }: ObjectServiceDeps): ObjectService {
  const urls = new UrlFetcher({ http, files, limit_bytes: config.url_blob_limit_bytes })
  const reader = new BlobReader({ files, urls, inline_limit_bytes: config.inline_blob_limit_bytes })
  return new ObjectService({ db, files, reader, writes: new ObjectWrites({ db, files }), process })
}

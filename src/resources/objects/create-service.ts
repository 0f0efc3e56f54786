import { KuraError } from '../../core/errors.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import { BlobReader, type FindUpload } from './blob-reader.ts'
import { ObjectCreator } from './creator.ts'
import { type OpenAddress, UrlFetcher } from './fetch-url.ts'
import { ObjectIntake } from './intake.ts'
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
  const { db, files, process } = deps
  const writes = new ObjectWrites({ db, files, process })
  return new ObjectService({ db, files, reader: createReader(deps), writes })
}

/** What other resources create objects with; it starts no batches. */
export function createObjectCreator(deps: Omit<ObjectServiceDeps, 'process'>): ObjectCreator {
  const { db, files } = deps
  const writes = new ObjectWrites({ db, files, process: { submit: async () => null, wake: () => undefined } })
  return new ObjectCreator({ files, reader: createReader(deps), writes })
}

/** What syncs take objects in with. */
export function createObjectIntake(deps: Omit<ObjectServiceDeps, 'process'>): ObjectIntake {
  const { db, files } = deps
  const writes = new ObjectWrites({ db, files, process: { submit: async () => null, wake: () => undefined } })
  return new ObjectIntake({ files, reader: createReader(deps), writes })
}

function createReader(deps: Omit<ObjectServiceDeps, 'process'>): BlobReader {
  const { http, files, config, findUpload = noUpload, openAddress = async () => null } = deps
  const urls = new UrlFetcher({ http, files, openAddress, limit_bytes: config.url_blob_limit_bytes })
  return new BlobReader({ files, urls, findUpload, inline_limit_bytes: config.inline_blob_limit_bytes })
}

const noUpload: FindUpload = async (_scope, _bucket_id, id) => {
  throw new KuraError('upload_not_found', { resource: 'upload', id })
}

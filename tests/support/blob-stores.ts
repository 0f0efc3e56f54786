import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BlobListing, BlobStore } from '../../src/platform/blobs/blobs.ts'
import { openBlobs } from '../../src/platform/blobs/open-blobs.ts'
import type { S3Config } from '../../src/platform/blobs/s3-settings.ts'
import { S3_SERVER_MISSING, type S3Server, startS3Server } from './s3-server.ts'

export type OpenedBlobs = {
  store: BlobStore
  /** The settings that open it, also in another process. */
  config: S3Config
  /** A second store on the same bytes, as another process would have. */
  reopen(): BlobStore
  /** How many blobs and leftovers there are. */
  remains(): Promise<number>
  close(): Promise<void>
}

/** Every adapter, for suites that all of them pass. */
export const BLOB_STORES: { name: string; skip: string | false; open(): Promise<OpenedBlobs> }[] = [
  { name: 'file', skip: false, open: openFolder },
  { name: 's3', skip: S3_SERVER_MISSING, open: openS3 },
]

async function openFolder(): Promise<OpenedBlobs> {
  const root = await mkdtemp(join(tmpdir(), 'kura-blobs-'))
  const config = { storage_url: `file:${root}`, s3_presign: true }
  return {
    store: openBlobs(config),
    config,
    reopen: () => openBlobs(config),
    remains: async () =>
      (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
        .length,
    close: () => rm(root, { recursive: true, force: true }),
  }
}

async function openS3(): Promise<OpenedBlobs> {
  const server = await startS3Server()
  await server.createBucket('kura')
  const config = s3Config(server)
  const store = openBlobs(config)
  return {
    store,
    config,
    reopen: () => openBlobs(config),
    remains: async () => (await listed(store, '')).length,
    close: () => server.stop(),
  }
}

/** The settings that point at a server of the tests. */
export const s3Config = (
  { endpoint, access_key_id, secret_access_key }: S3Server,
  path = 'kura/some/prefix',
) => ({
  storage_url: `s3://${path}`,
  s3_endpoint: endpoint,
  s3_access_key_id: access_key_id,
  s3_secret_access_key: secret_access_key,
  s3_presign: true,
})

export async function listed(store: BlobStore, prefix: string): Promise<BlobListing[]> {
  const found: BlobListing[] = []
  for await (const one of store.list(prefix)) found.push(one)
  return found
}

import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { openConnection } from '../../engine/sync/connection-secrets.ts'
import type { Db } from '../../platform/db/db.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import type { OpenSource, SourceContext, SourceFile } from '../../platform/sources/source-provider.ts'
import { type ConnectionRow, listConnections } from './store.ts'

/** Connections that are asked for one address; each costs a request. */
const ASKED_MAX = 10
const GOOGLE_HOST = 'storage.googleapis.com'

type Options = { db: Db; secrets: SecretBox; sources: SourceContext }

/**
 * Opens `s3://bucket/key` and `gs://bucket/key` through the oldest active connection that has the file;
 * null when none does. What a connection says about a file that it has is thrown as for URLs.
 */
export function createOpenAddress({ db, secrets, sources }: Options) {
  return async (
    scope: Scope,
    address: string,
    { limit_bytes, signal = NEVER }: { limit_bytes: number; signal?: AbortSignal },
  ) => {
    const [, scheme = '', bucket = '', key = ''] = /^(s3|gs):\/\/([^/]+)\/(.+)$/i.exec(address) ?? []
    if (key === '') throw new KuraError('url_not_usable', { reason: 'it names no file in a bucket.' })
    for (const row of covering(await listConnections(db, scope), scheme.toLowerCase())) {
      const source = await openConnection({ secrets, sources }, row)
      const content = await read(source, fileOf(bucket, key), { signal, limit_bytes })
      if (!content) continue
      const body = closing(content.body, source)
      return { body, mime_type: content.mime_type, size_bytes: null, discard: () => void leave(body) }
    }
    return null
  }
}

const NEVER = new AbortController().signal

function covering(rows: readonly ConnectionRow[], scheme: string): ConnectionRow[] {
  return rows
    .filter(({ status, provider_type }) => status === 'ACTIVE' && ['s3', 'tigris'].includes(provider_type))
    .filter(({ config }) => (scheme === 'gs') === config.includes(GOOGLE_HOST))
    .sort((a, b) => (a.created_at < b.created_at ? -1 : 1))
    .slice(0, ASKED_MAX)
}

/** Null when this store does not have the file, or does not let us see it. */
async function read(
  source: OpenSource,
  file: SourceFile,
  options: { signal: AbortSignal; limit_bytes: number },
) {
  try {
    return await source.read!(file, { ...options, with_tags: false })
  } catch (error) {
    await source.close()
    if (!(error instanceof KuraError)) throw error
    if (error.code === 'source_file_too_large' || error.row.status >= 500)
      throw new KuraError('url_not_usable', { reason: error.message }, { cause: error })
    return null
  }
}

const fileOf = (bucket: string, key: string): SourceFile => ({
  kind: 'file',
  source_id: `${bucket}/${key}`,
  version: '',
  path: key,
  name: key.split('/').at(-1)!,
  size_bytes: null,
  modified_at: null,
  mime_type: null,
  properties: { bucket, key },
})

async function* closing(body: AsyncIterable<Uint8Array>, source: OpenSource): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } finally {
    await source.close()
  }
}

/** A body that nobody read keeps its connection open. */
async function leave(body: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of body) break
  } catch {
    // What is wrong with bytes that nobody wants does not matter; the connection is closed either way.
  }
}

import { setTimeout as wait } from 'node:timers/promises'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { StagedFile } from '../../platform/files/files.ts'
import { normalizeMime, sniffMime } from '../../platform/media/mime.ts'
import type {
  OpenSource,
  SourceContent,
  SourceFile,
  SourceItem,
} from '../../platform/sources/source-provider.ts'
import type { PreparedObject, SyncBucket, SyncDeps } from './deps.ts'
import { mapItem, wantsTags } from './mapping.ts'
import type { SyncSettings } from './settings.ts'

const TRIES_MAX = 3
/** A source that asks to slow down is given this much more time than one that only failed. */
export const BUSY_FACTOR = 5

export type Fetched = { prepared: PreparedObject; version: string }

export type FetchContext = {
  deps: Pick<SyncDeps, 'files' | 'objects' | 'limits'>
  scope: Scope
  bucket: SyncBucket
  settings: SyncSettings
  source: OpenSource
  signal: AbortSignal
}

/** Fetches, maps and checks an item. What may pass by itself is tried three times, then thrown. */
export async function fetchItem(context: FetchContext, item: SourceItem): Promise<Fetched> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await fetchOnce(context, item)
    } catch (error) {
      if (!isTransient(error) || attempt === TRIES_MAX) throw error
      const factor = (error as KuraError).code === 'source_busy' ? BUSY_FACTOR : 1
      const delay_ms = context.deps.limits.retry_delay_ms * 2 ** (attempt - 1) * factor
      await wait(delay_ms, undefined, { signal: context.signal })
    }
  }
}

/** Whether an error may be gone at the next try: the peer's doing, not the file's. */
export const isTransient = (error: unknown): boolean =>
  error instanceof KuraError && (error.row.retryable || error.code === 'url_not_usable')

async function fetchOnce(context: FetchContext, item: SourceItem): Promise<Fetched> {
  const { deps, scope, bucket, settings, signal } = context
  const content = item.kind === 'file' ? await read(context, item) : null
  let isRead = content === null
  try {
    const mapped = mapItem(bucket.schema, settings.schema_mapping, item, content ?? {})
    const { fields, blobs, file } = mapped
    const staged = content && file ? await stage(context, item as SourceFile, content, file.mime_type) : null
    isRead ||= staged !== null
    const object = {
      fields,
      blobs,
      file: staged && { staged, property: file!.property },
      skip_duplicates: settings.skip_duplicates,
    }
    const prepared = await deps.objects.prepare(scope, bucket, object, signal)
    return { prepared, version: content?.version ?? (item as SourceFile).version }
  } finally {
    if (!isRead) await leave(content!)
  }
}

async function read(
  { source, settings, deps, signal }: FetchContext,
  file: SourceFile,
): Promise<SourceContent> {
  const limit_bytes = deps.limits.file_bytes_max
  if (!source.read) throw new KuraError('source_item_unreadable', { reason: 'the source has no files' })
  if (file.size_bytes !== null && file.size_bytes > limit_bytes)
    throw new KuraError('source_file_too_large', { limit_bytes })
  return source.read(file, { signal, limit_bytes, with_tags: wantsTags(settings.schema_mapping) })
}

/** Streams into the blob store; the type is what the content shows, unless the mapping knows better. */
async function stage(
  { deps, scope, bucket, signal }: FetchContext,
  file: SourceFile,
  content: SourceContent,
  override: string | null,
): Promise<StagedFile> {
  const declared = normalizeMime(content.mime_type ?? file.mime_type)
  const filename = safeName(file.name)
  const staged = await deps.files.stage(scope, content.body, {
    mime_type: declared ?? 'application/octet-stream',
    filename,
    limit_bytes: deps.limits.file_bytes_max,
    storage_class: bucket.storage_class,
    signal,
  })
  try {
    staged.mime_type = override ?? (await sniffMime(staged.head, declared, filename))
    return staged
  } catch (error) {
    await deps.files.discard([staged])
    throw error
  }
}

/** A body that nobody read keeps a connection or a file open. */
async function leave({ body }: SourceContent): Promise<void> {
  try {
    for await (const _ of body) break
  } catch {
    // What is wrong with bytes that nobody wants does not matter; they are closed either way.
  }
}

/** The last segment of the name without control characters, as every other file name is kept. */
function safeName(name: string): string | null {
  const base = name
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\p{Cc}/gu, '')
    .trim()
  return base === '' || base === '.' || base === '..' ? null : base.slice(-255).toWellFormed()
}

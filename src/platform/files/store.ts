import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../db/db.ts'
import type { StagedFile } from './staging.ts'

/** Who keeps a file alive. */
export type FileOwner = { type: 'object' | 'document'; id: string }

/** Bytes in the blob store that no row names any more. */
export type OrphanedFile = { storage_key: string }

/** Ids of one `in (…)`, and rows of one insert: well under SQLite's bound of 32,766 parameters. */
const ROWS_MAX = 500

export function* slices<T>(items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += ROWS_MAX) yield items.slice(start, start + ROWS_MAX)
}

export async function insertFiles(
  trx: Trx,
  { namespaceId }: Scope,
  files: readonly StagedFile[],
): Promise<void> {
  const created_at = timestamp()
  for (const rows of slices(files)) {
    await trx
      .insertInto('files')
      .values(
        rows.map(({ file_id, sha256, size_bytes, mime_type, filename, content, storage_key }) => ({
          namespace_id: namespaceId,
          file_id,
          sha256,
          size_bytes,
          mime_type,
          filename,
          content,
          storage_key,
          created_at,
        })),
      )
      .execute()
  }
}

export type Reference = { file_id: string; owner: FileOwner }

export async function insertReferences(
  trx: Trx,
  { namespaceId }: Scope,
  references: readonly Reference[],
): Promise<void> {
  for (const part of slices(references)) {
    await trx
      .insertInto('file_references')
      .values(
        part.map(({ file_id, owner }) => ({
          namespace_id: namespaceId,
          file_id,
          owner_type: owner.type,
          owner_id: owner.id,
        })),
      )
      // Two equal blobs of one object share one file and one reference.
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/**
 * Files with the same bytes and type, locked until the transaction ends: PostgreSQL could otherwise
 * remove one between this look and the new reference to it.
 */
export async function findEqualFiles(
  trx: Trx,
  { namespaceId }: Scope,
  files: readonly StagedFile[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const part of slices(files)) {
    const query = trx
      .selectFrom('files')
      .select(['file_id', 'sha256', 'mime_type'])
      .where('namespace_id', '=', namespaceId)
      .where(
        'sha256',
        'in',
        part.map((file) => file.sha256),
      )
      .orderBy('file_id')
    const rows = await (dialect(trx) === 'postgres' ? query.forShare() : query).execute()
    for (const row of rows) found.set(contentKey(row), row.file_id)
  }
  return found
}

export const contentKey = ({ sha256, mime_type }: Pick<StagedFile, 'sha256' | 'mime_type'>) =>
  `${sha256} ${mime_type}`

/** The files that the owners refer to. */
export async function filesOfOwners(
  trx: Trx,
  { namespaceId }: Scope,
  owner_type: FileOwner['type'],
  owner_ids: readonly string[],
): Promise<string[]> {
  const file_ids = new Set<string>()
  for (const ids of slices(owner_ids)) {
    const rows = await trx
      .selectFrom('file_references')
      .select('file_id')
      .where('namespace_id', '=', namespaceId)
      .where('owner_type', '=', owner_type)
      .where('owner_id', 'in', ids)
      .execute()
    for (const row of rows) file_ids.add(row.file_id)
  }
  return [...file_ids]
}

/**
 * Locks files in the order of their ids, so that a new reference is either seen or waits, and two
 * removals never wait for each other. SQLite has one writer.
 */
export async function lockFiles(
  trx: Trx,
  { namespaceId }: Scope,
  file_ids: readonly string[],
): Promise<void> {
  if (dialect(trx) === 'sqlite') return
  for (const ids of slices([...file_ids].sort())) {
    await trx
      .selectFrom('files')
      .select('file_id')
      .where('namespace_id', '=', namespaceId)
      .where('file_id', 'in', ids)
      .orderBy('file_id')
      .forUpdate()
      .execute()
  }
}

/** Removes the references of these owners: all of them, or only those to the given files. */
export async function deleteReferences(
  trx: Trx,
  { namespaceId }: Scope,
  owner_type: FileOwner['type'],
  owner_ids: readonly string[],
  file_ids?: readonly string[],
): Promise<void> {
  for (const ids of slices(owner_ids)) {
    await trx
      .deleteFrom('file_references')
      .where('namespace_id', '=', namespaceId)
      .where('owner_type', '=', owner_type)
      .where('owner_id', 'in', ids)
      .$if(file_ids !== undefined, (query) => query.where('file_id', 'in', file_ids!))
      .execute()
  }
}

/** Removes those of the files that nobody refers to and names their bytes in the blob store. */
export async function deleteUnreferenced(
  trx: Trx,
  { namespaceId }: Scope,
  file_ids: readonly string[],
): Promise<OrphanedFile[]> {
  const orphans: OrphanedFile[] = []
  for (const ids of slices(file_ids)) {
    const rows = await trx
      .deleteFrom('files')
      .where('namespace_id', '=', namespaceId)
      .where('file_id', 'in', ids)
      .where((eb) =>
        eb.not(
          eb.exists(
            eb
              .selectFrom('file_references')
              .select('file_references.file_id')
              .where('file_references.namespace_id', '=', namespaceId)
              .whereRef('file_references.file_id', '=', 'files.file_id'),
          ),
        ),
      )
      .returning('storage_key')
      .execute()
    for (const { storage_key } of rows) if (storage_key !== null) orphans.push({ storage_key })
  }
  return orphans
}

/** Which of these files have a row. */
export async function existingFiles(
  db: DbOrTrx,
  namespace_id: string,
  file_ids: readonly string[],
): Promise<Set<string>> {
  const found = new Set<string>()
  for (const ids of slices(file_ids)) {
    const rows = await db
      .selectFrom('files')
      .select('file_id')
      .where('namespace_id', '=', namespace_id)
      .where('file_id', 'in', ids)
      .execute()
    for (const row of rows) found.add(row.file_id)
  }
  return found
}

export async function findFile(db: DbOrTrx, { namespaceId }: Scope, file_id: string) {
  return db
    .selectFrom('files')
    .select(['file_id', 'sha256', 'size_bytes', 'mime_type', 'filename', 'created_at', 'storage_key'])
    .where('namespace_id', '=', namespaceId)
    .where('file_id', '=', file_id)
    .executeTakeFirst()
}

/** Bytes that are kept in the row itself. */
export async function findContent(
  db: DbOrTrx,
  { namespaceId }: Scope,
  file_id: string,
): Promise<Uint8Array | null> {
  const row = await db
    .selectFrom('files')
    .select('content')
    .where('namespace_id', '=', namespaceId)
    .where('file_id', '=', file_id)
    .executeTakeFirst()
  return row?.content ?? null
}

/** Whether the file exists; it cannot be removed until the transaction ends. */
export async function lockFile(trx: Trx, { namespaceId }: Scope, file_id: string): Promise<boolean> {
  const query = trx
    .selectFrom('files')
    .select('file_id')
    .where('namespace_id', '=', namespaceId)
    .where('file_id', '=', file_id)
  const row = await (dialect(trx) === 'postgres' ? query.forShare() : query).executeTakeFirst()
  return row !== undefined
}

import { sql } from 'kysely'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type DbOrTrx, dialect, type Trx } from '../db/db.ts'
import type { StagedFile } from './staging.ts'

/** Who keeps a file alive. */
export type FileOwner = { type: 'object' | 'document' | 'upload'; id: string }

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
        rows.map(
          ({ file_id, sha256, size_bytes, mime_type, filename, content, storage_key, storage_class }) => ({
            namespace_id: namespaceId,
            file_id,
            sha256,
            size_bytes,
            mime_type,
            filename,
            content,
            storage_key,
            storage_class: storage_class ?? null,
            created_at,
          }),
        ),
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
      // An expression: by the bare column SQLite would walk every file of the namespace in its order.
      .orderBy(sql`file_id || ''`)
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

/** Removes those of the files that nobody refers to and names the bytes in the blob store that no row has any more. */
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
    orphans.push(...(await unshared(trx, rows)))
  }
  return orphans
}

/** Removes all files of a namespace with these ids, whoever refers to them; returns the bytes that no row has any more. */
export async function deleteFiles(
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
      .returning('storage_key')
      .execute()
    orphans.push(...(await unshared(trx, rows)))
  }
  return orphans
}

/**
 * The bytes of removed rows, without those that a clone of a namespace still has. A clone locks the
 * row that it copies, so it is either seen here or finds the row gone. Two removals at once may
 * each see the row of the other; the sweep then deletes the bytes.
 */
async function unshared(
  trx: Trx,
  removed: readonly { storage_key: string | null }[],
): Promise<OrphanedFile[]> {
  const keys = removed.flatMap(({ storage_key }) => storage_key ?? [])
  if (keys.length === 0) return []
  const kept = await storedKeys(trx, keys)
  return keys.filter((key) => !kept.has(key)).map((storage_key) => ({ storage_key }))
}

/** Which of these keys of the blob store a file has. */
export async function storedKeys(db: DbOrTrx, keys: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>()
  for (const part of slices(keys)) {
    const rows = await db
      .selectFrom('files')
      .select('storage_key')
      .distinct()
      .where('storage_key', 'in', part)
      .execute()
    for (const { storage_key } of rows) found.add(storage_key!)
  }
  return found
}

/**
 * Copies rows of another namespace, by old id to new; content in the row is copied, bytes in the
 * blob store are shared. Files that are gone are left out. The old rows are locked until the
 * transaction ends, so that nobody deletes their bytes before the new rows are seen.
 */
export async function copyFiles(
  trx: Trx,
  from: Pick<Scope, 'namespaceId'>,
  to: Pick<Scope, 'namespaceId'>,
  new_ids: ReadonlyMap<string, string>,
): Promise<void> {
  for (const ids of slices([...new_ids.keys()].sort())) {
    const query = trx
      .selectFrom('files')
      .selectAll()
      .where('namespace_id', '=', from.namespaceId)
      .where('file_id', 'in', ids)
      .orderBy('file_id')
    const rows = await (dialect(trx) === 'postgres' ? query.forShare() : query).execute()
    if (rows.length === 0) continue
    await trx
      .insertInto('files')
      .values(
        rows.map((row) => ({ ...row, namespace_id: to.namespaceId, file_id: new_ids.get(row.file_id)! })),
      )
      .onConflict((conflict) => conflict.columns(['namespace_id', 'file_id']).doNothing())
      .execute()
  }
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
    .select([
      'file_id',
      'sha256',
      'size_bytes',
      'mime_type',
      'filename',
      'created_at',
      'storage_key',
      'storage_class',
    ])
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

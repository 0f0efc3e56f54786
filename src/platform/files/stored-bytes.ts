import type { Db } from '../db/db.ts'

/** Bytes in the blob store that rows name; files of cloned namespaces share them. */
export type StoredBytes = {
  storage_key: string
  size_bytes: number
  sha256: string
  storage_class: string | null
}

const PAGE_ROWS = 500

export async function countStoredBytes(db: Db): Promise<{ files: number; size_bytes: number }> {
  const distinct = db
    .selectFrom('files')
    .select(['storage_key', (eb) => eb.fn.max('size_bytes').as('size_bytes')])
    .where('storage_key', 'is not', null)
    .groupBy('storage_key')
  const { files, size_bytes } = await db
    .selectFrom(distinct.as('stored'))
    .select((eb) => [
      eb.fn.countAll<number>().as('files'),
      eb.fn.sum<number | null>('size_bytes').as('size_bytes'),
    ])
    .executeTakeFirstOrThrow()
  return { files: Number(files), size_bytes: Number(size_bytes ?? 0) }
}

/** All of them, in pages by key: what is added meanwhile may be missed, what is removed may be seen. */
export async function* storedBytes(db: Db): AsyncGenerator<StoredBytes[]> {
  for (let last = ''; ; ) {
    const rows = await db
      .selectFrom('files')
      .select((eb) => [
        'storage_key',
        eb.fn.max('size_bytes').as('size_bytes'),
        eb.fn.max('sha256').as('sha256'),
        eb.fn.max('storage_class').as('storage_class'),
      ])
      .where('storage_key', '>', last)
      .groupBy('storage_key')
      .orderBy('storage_key')
      .limit(PAGE_ROWS)
      .execute()
    if (rows.length === 0) return
    const page = rows.map((row) => ({
      ...row,
      storage_key: row.storage_key!,
      size_bytes: Number(row.size_bytes),
    }))
    yield page
    last = page.at(-1)!.storage_key
  }
}

import { sql } from 'kysely'
import type { Path } from '../../core/filters/path.ts'
import { sha256 } from '../../core/ids.ts'
import type { Scope } from '../../core/scope.ts'
import { type DbOrTrx, dialect, type Trx } from '../../platform/db/db.ts'
import { createFieldIndex, documentIndexPaths } from '../../platform/db/filters/field-index.ts'

/**
 * Fields of the whole database that get an index. Each costs every writer an entry, so a namespace
 * that asks for more keeps them as wishes: filters answer the same without.
 */
const INDEXED_PATHS_MAX = 64

const NAME_PREFIX = 'documents_payload_'

/** Makes the SQL indexes behind the payload indexes of a namespace; those that exist are left alone. */
export async function ensurePayloadIndexes(trx: Trx, fields: readonly string[]): Promise<void> {
  const existing = new Set(await existingIndexes(trx))
  for (const path of fields.flatMap(documentIndexPaths)) {
    const index_name = indexName(path)
    if (existing.has(index_name)) continue
    if (existing.size >= INDEXED_PATHS_MAX) return
    existing.add(index_name)
    const scope = ['namespace_id', 'collection_id']
    const statements = createFieldIndex({
      dialect: dialect(trx),
      index_name,
      table: 'documents',
      scope,
      column: 'payload',
      path,
    })
    for (const statement of statements) await statement.execute(trx)
  }
}

/** Whether the SQL indexes behind a field exist, or can all be made. */
export async function hasIndexRoom(trx: Trx, field: string): Promise<boolean> {
  const existing = new Set(await existingIndexes(trx))
  const missing = documentIndexPaths(field).filter((path) => !existing.has(indexName(path)))
  return missing.length === 0 || existing.size + missing.length <= INDEXED_PATHS_MAX
}

const indexName = (path: Path) => NAME_PREFIX + sha256(path.join('.')).slice(0, 16)

async function existingIndexes(trx: Trx): Promise<string[]> {
  const pattern = `${NAME_PREFIX.replaceAll('_', '\\_')}%`
  const { rows } = await (dialect(trx) === 'postgres'
    ? sql<{ name: string }>`select indexname as name from pg_indexes where indexname like ${pattern}`
    : sql<{
        name: string
      }>`select name from sqlite_master where type = 'index' and name like ${pattern} escape '\\'`
  ).execute(trx)
  return rows.map((row) => row.name)
}

/** Parsed once a text: the indexes of a namespace hardly change, and every filtered search asks for them. */
const parsed = new Map<string, ReadonlySet<string>>()
const PARSED_MAX = 1000
const NONE: ReadonlySet<string> = new Set()

/** Paths of the payload for which filters of this namespace can use an index. */
export async function indexedFields(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
): Promise<ReadonlySet<string>> {
  const row = await db
    .selectFrom('namespaces')
    .select('payload_indexes')
    .where('namespace_id', '=', namespaceId)
    .executeTakeFirst()
  if (!row || row.payload_indexes === '[]') return NONE
  const known = parsed.get(row.payload_indexes)
  if (known) return known
  const indexes = JSON.parse(row.payload_indexes) as { field_name: string }[]
  const paths = indexes
    .flatMap(({ field_name }) => documentIndexPaths(field_name))
    .map((path) => path.join('.'))
  const fields = new Set(paths)
  if (parsed.size >= PARSED_MAX) parsed.clear()
  parsed.set(row.payload_indexes, fields)
  return fields
}

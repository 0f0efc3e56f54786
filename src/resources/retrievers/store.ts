import type { JsonObject } from '../../core/json.ts'
import type { InputSchema } from '../../core/retrievers/input-schema.ts'
import type { FeatureAddress, StageDefinition } from '../../core/retrievers/stage-definition.ts'
import type { Scope } from '../../core/scope.ts'
import { LruMap } from '../../lib/lru-map.ts'
import { type DbOrTrx, dialect } from '../../platform/db/db.ts'
import { slot, Templates } from '../../platform/db/templates.ts'

/** A saved retriever, parsed. */
export type RetrieverRecord = {
  retriever_id: string
  retriever_name: string
  description: string | null
  version: number
  created_at: string
  updated_at: string
  created_by: string | null
  collection_identifiers: string[]
  collection_ids: string[]
  stages: StageDefinition[]
  input_schema: InputSchema
  budget_limits: { max_credits?: number | null; max_time_ms?: number | null }
  cache_config: JsonObject | null
  display_config: JsonObject | null
  feature_dependencies: FeatureAddress[]
  tags: string[]
  visibility: 'private' | 'public' | 'marketplace'
}

const JSON_COLUMNS = [
  'collection_identifiers',
  'collection_ids',
  'stages',
  'input_schema',
  'budget_limits',
  'cache_config',
  'display_config',
  'feature_dependencies',
  'tags',
] as const

const COLUMNS = [
  'retriever_id',
  'retriever_name',
  'description',
  'version',
  'created_at',
  'updated_at',
  'created_by',
  'visibility',
  ...JSON_COLUMNS,
] as const

/** By id first, then by name. */
export async function findRetriever(
  db: DbOrTrx,
  { namespaceId }: Scope,
  identifier: string,
): Promise<RetrieverRecord | undefined> {
  for (const column of ['retriever_id', 'retriever_name'] as const) {
    const [row] = await templates.run<Row>(db, `${dialect(db)} ${column}`, { namespaceId, identifier }, () =>
      db
        .selectFrom('retrievers')
        .select(COLUMNS)
        .where('namespace_id', '=', slot<string>('namespaceId'))
        .where(column, '=', slot<string>('identifier'))
        .compile(),
    )
    if (row) return parsedOnce(namespaceId, row)
  }
  return undefined
}

/** Every run reads its retriever: building the statement takes longer than running it. */
const templates = new Templates()

/** And parsing nine JSON columns takes longer than both; a change of the retriever changes `updated_at`. */
const parsed = new LruMap<RetrieverRecord>(1000)

function parsedOnce(namespaceId: string, row: Row): RetrieverRecord {
  const key = `${namespaceId} ${row.retriever_id} ${row.updated_at}`
  const known = parsed.get(key)
  if (known) return known
  const record = parse(row)
  parsed.set(key, record)
  return record
}

export async function listRetrievers(db: DbOrTrx, { namespaceId }: Scope): Promise<RetrieverRecord[]> {
  const rows = await db
    .selectFrom('retrievers')
    .select(COLUMNS)
    .where('namespace_id', '=', namespaceId)
    .orderBy('created_at', 'desc')
    .orderBy('retriever_id')
    .execute()
  return rows.map(parse)
}

export async function insertRetriever(
  db: DbOrTrx,
  { namespaceId }: Scope,
  record: RetrieverRecord,
): Promise<void> {
  const json = Object.fromEntries(
    JSON_COLUMNS.map((column) => [column, record[column] === null ? null : JSON.stringify(record[column])]),
  )
  await db
    .insertInto('retrievers')
    .values({
      ...record,
      ...(json as Record<(typeof JSON_COLUMNS)[number], string>),
      namespace_id: namespaceId,
    })
    .execute()
}

export async function deleteRetriever(
  db: DbOrTrx,
  { namespaceId }: Scope,
  retriever_id: string,
): Promise<void> {
  await db
    .deleteFrom('retrievers')
    .where('namespace_id', '=', namespaceId)
    .where('retriever_id', '=', retriever_id)
    .execute()
}

type Row = Record<(typeof COLUMNS)[number], unknown>

function parse(row: Row): RetrieverRecord {
  const json = Object.fromEntries(
    JSON_COLUMNS.map((column) => [column, row[column] === null ? null : JSON.parse(row[column] as string)]),
  )
  return { ...row, ...json } as RetrieverRecord
}

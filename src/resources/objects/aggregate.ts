import { type AggregationPlan, fieldsOf, planAggregation } from '../../core/aggregate/plan.ts'
import type { AggregationBody, AggregationResponse } from '../../core/aggregate/schemas.ts'
import type { FilterNode } from '../../core/filters/ast.ts'
import { objectField } from '../../core/filters/object-fields.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import type { Scope } from '../../core/scope.ts'
import { runAggregation } from '../../platform/db/aggregate/run.ts'
import type { SliceSource } from '../../platform/db/aggregate/slices.ts'
import { type Db, dialect } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { sourcesOf } from '../../platform/db/filters/target.ts'
import { objectTarget } from './list-query.ts'
import { objectPlace, objectsBetween, WALK_TERMS } from './slices.ts'

/** Values of one group that `push` and `add_to_set` keep (contract, aggregate). */
const VALUES_MAX = 10_000

/** Columns that an aggregation may look at; `fields` spreads its members over the record. */
const COLUMNS = [
  'object_id',
  'bucket_id',
  'key_prefix',
  'status',
  'error',
  'content_hash',
  'created_at',
  'updated_at',
  'source_details',
  'fields',
  'blobs',
] as const
type Column = (typeof COLUMNS)[number]

/** A checked request. */
export type ObjectAggregation = { plan: AggregationPlan; filter: FilterNode | null }

/** Throws 422 for a request that makes no sense, and as `parseFilter` does. */
export function readAggregation(body: AggregationBody): ObjectAggregation {
  const plan = planAggregation(body)
  const profile = { profile: 'document', unknown_operator: 'filter_operator_unknown' } as const
  return { plan, filter: parseFilter(body.filters, profile) }
}

/** Aggregates the objects of a bucket, read in slices. Throws `aggregation_too_large`. */
export function aggregateObjects(
  db: Db,
  scope: Scope,
  bucket_id: string,
  { plan, filter, signal }: ObjectAggregation & { signal?: AbortSignal },
): Promise<AggregationResponse> {
  const source = objectSource(db, scope, bucket_id, { filter, columns: columnsOf(db, fieldsOf(plan)) })
  return runAggregation(plan, source, {
    toRecord,
    fieldPaths: objectField,
    rules: { empty_sum: 0, values_max: VALUES_MAX },
    signal,
  })
}

type Row = Partial<Record<Column, string | null>>

function objectSource(
  db: Db,
  scope: Scope,
  bucket_id: string,
  { filter, columns }: { filter: FilterNode | null; columns: readonly Column[] },
): SliceSource<Row> {
  const order = 'oldest'
  const passes = compileFilter(filter, objectTarget(dialect(db)))
  return {
    boundary: (after, count) => objectPlace(db, scope, bucket_id, { order, after, count }),
    rows: (after, until) => {
      let rows = objectsBetween(db, scope, bucket_id, { order, after, until }).where(passes).select(columns)
      for (const [column, direction] of WALK_TERMS[order]) rows = rows.orderBy(column, direction)
      return rows.execute()
    },
  }
}

/** Only the columns in which the fields may be; reading and parsing the others costs more than the rest. */
function columnsOf(db: Db, fields: readonly string[]): Column[] {
  const wanted = new Set<unknown>(['objects.object_id'])
  for (const field of fields)
    for (const { column } of sourcesOf(field, objectTarget(dialect(db)))) wanted.add(column)
  return COLUMNS.filter((column) => wanted.has(`objects.${column}`))
}

function toRecord({ fields, blobs, source_details, ...columns }: Row): Record<string, unknown> {
  const record: Record<string, unknown> = fields ? JSON.parse(fields) : {}
  for (const [name, value] of Object.entries(columns)) if (value !== null) record[name] = value
  if (blobs) record.blobs = JSON.parse(blobs)
  if (source_details) record.source_details = JSON.parse(source_details)
  return record
}

import { sql } from 'kysely'
import type { FilterNode } from '../../core/filters/ast.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { parseSearch, type SearchPattern } from '../../core/filters/search.ts'
import { parseSort, type SortKey } from '../../core/filters/sort.ts'
import {
  decodeCursor,
  encodeCursor,
  type PageRequest,
  type Pagination,
  paginate,
} from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { storedStatus } from '../../core/task-status.ts'
import { type Db, type Dialect, dialect, inSnapshot, type Trx } from '../../platform/db/db.ts'
import { compileFilter } from '../../platform/db/filters/compile.ts'
import { compileSearch, type SearchField } from '../../platform/db/filters/search.ts'
import { type CompiledSort, compileSort } from '../../platform/db/filters/sort.ts'
import { type FilterTarget, tableFields } from '../../platform/db/filters/target.ts'
import type { ListTasksBody } from './schemas.ts'
import type { TaskRow } from './store.ts'

const NEWEST_FIRST: SortKey[] = [{ field: 'created_at', direction: 'desc' }]

const SEARCH_FIELDS: SearchField[] = [
  { kind: 'text', column: 'tasks.task_id' },
  { kind: 'text', column: 'tasks.task_type' },
  { kind: 'text', column: 'tasks.error' },
  { kind: 'leaves', column: 'tasks.additional_data' },
]

/** Fields of a task; times are columns, though clients see them in `additional_data`. */
const target = (dialect: Dialect): FilterTarget => ({
  dialect,
  locate: tableFields({
    columns: {
      task_id: { column: 'tasks.task_id', type: 'text', required: true },
      task_type: { column: 'tasks.task_type', type: 'text', required: true },
      status: { column: 'tasks.status', type: 'text', required: true },
      namespace_id: { column: 'tasks.namespace_id', type: 'text' },
      error: { column: 'tasks.error', type: 'text' },
      created_at: { column: 'tasks.created_at', type: 'instant', required: true },
      updated_at: { column: 'tasks.updated_at', type: 'instant', required: true },
      started_at: { column: 'tasks.started_at', type: 'instant' },
      completed_at: { column: 'tasks.ended_at', type: 'instant' },
    },
    json: {
      additional_data: { column: 'tasks.additional_data', is_object: true },
      inputs: { column: 'tasks.inputs' },
      outputs: { column: 'tasks.outputs' },
    },
  }),
})

type Ask = { namespace_id: string | null; kept_since: string; body: ListTasksBody; page: PageRequest }
type Query = { filter: FilterNode | null; pattern: SearchPattern | null; order: CompiledSort }

/** One page of the tasks that match, from one snapshot. */
export function listTasks(
  db: Db,
  scope: OrganizationScope,
  ask: Ask,
): Promise<{ rows: TaskRow[]; pagination: Pagination }> {
  const { body, page, namespace_id } = ask
  const { filters, sort, search } = body
  const keys = parseSort(sort)
  const query: Query = {
    filter: parseFilter(filters, { profile: 'management' }),
    pattern: parseSearch(search),
    order: compileSort(keys.length > 0 ? keys : NEWEST_FIRST, target(dialect(db)), 'tasks.task_id'),
  }
  const identity = { ...body, namespace_id }
  return inSnapshot(db, async (trx) => {
    const total = page.include_total ? await count(trx, scope, ask, query) : null
    const found = await select(trx, scope, ask, query, identity)
    const shown = found.slice(0, page.limit)
    const last = shown.at(-1)
    const next_cursor =
      last && found.length > page.limit
        ? encodeCursor({ keys: keysOf(last, query.order), id: last.task_id }, identity)
        : null
    return { rows: shown, pagination: paginate({ page, total, path: '/v1/tasks/list', next_cursor }) }
  })
}

/** One row more than the page holds tells whether another page follows. */
async function select(
  trx: Trx,
  scope: OrganizationScope,
  ask: Ask,
  query: Query,
  identity: unknown,
): Promise<TaskRow[]> {
  const { order } = query
  let rows = matching(trx, scope, ask, query)
    .selectAll('tasks')
    .select(order.keys.map((key, i) => sql<string | number | null>`${key}`.as(`sort_key_${i}`)))
    .limit(ask.page.limit + 1)
  for (const term of order.order_by) rows = rows.orderBy(sql`${term}`)
  const { cursor, offset } = ask.page
  rows = cursor === null ? rows.offset(offset) : rows.where(order.after(decodeCursor(cursor, identity)))
  return rows.execute()
}

const keysOf = (row: TaskRow, { keys }: CompiledSort) =>
  keys.map((_, i) => (row as unknown as Record<string, string | number | null>)[`sort_key_${i}`] ?? null)

async function count(trx: Trx, scope: OrganizationScope, ask: Ask, query: Query): Promise<number> {
  const { total } = await matching(trx, scope, ask, query)
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  return Number(total)
}

function matching(
  trx: Trx,
  { organizationId }: OrganizationScope,
  { namespace_id, kept_since, body }: Ask,
  { filter, pattern }: Query,
) {
  let rows = trx
    .selectFrom('tasks')
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('ended_at', 'is', null), eb('ended_at', '>=', kept_since)]))
  if (namespace_id !== null) rows = rows.where('namespace_id', '=', namespace_id)
  if (body.status) rows = rows.where('status', '=', storedStatus(body.status))
  if (body.task_type) rows = rows.where('task_type', '=', body.task_type)
  if (filter) rows = rows.where(compileFilter(filter, target(dialect(trx))))
  if (pattern) rows = rows.where(compileSearch(pattern, SEARCH_FIELDS, dialect(trx)))
  return rows
}

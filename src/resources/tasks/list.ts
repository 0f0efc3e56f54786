import { sql } from 'kysely'
import {
  decodeCursor,
  encodeCursor,
  type PageRequest,
  type Pagination,
  paginate,
} from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { storedStatus } from '../../core/task-status.ts'
import { type Db, inSnapshot, type Trx } from '../../platform/db/db.ts'
import type { ListTasksBody } from './schemas.ts'
import type { TaskRow } from './store.ts'

type Query = { namespace_id: string | null; kept_since: string; body: ListTasksBody; page: PageRequest }

/** One page of the tasks that match, from one snapshot. */
export function listTasks(
  db: Db,
  scope: OrganizationScope,
  query: Query,
): Promise<{ rows: TaskRow[]; pagination: Pagination }> {
  const { body, page } = query
  const identity = { body, namespace_id: query.namespace_id }
  return inSnapshot(db, async (trx) => {
    const total = page.include_total ? await count(trx, scope, query) : null
    let rows = matching(trx, scope, query)
      .selectAll()
      .orderBy('created_at', 'desc')
      .orderBy('task_id')
      .limit(page.limit + 1)
    if (page.cursor === null) rows = rows.offset(page.offset)
    else {
      const { keys, id } = decodeCursor(page.cursor, identity)
      const created_at = String(keys[0])
      rows = rows.where((eb) =>
        eb.or([
          eb('created_at', '<', created_at),
          eb.and([eb('created_at', '=', created_at), eb('task_id', '>', id)]),
        ]),
      )
    }
    const found = await rows.execute()
    const shown = found.slice(0, page.limit)
    const last = shown.at(-1)
    const next_cursor =
      found.length > page.limit && last
        ? encodeCursor({ keys: [last.created_at], id: last.task_id }, identity)
        : null
    return { rows: shown, pagination: paginate({ page, total, path: '/v1/tasks/list', next_cursor }) }
  })
}

async function count(trx: Trx, scope: OrganizationScope, query: Query): Promise<number> {
  const { total } = await matching(trx, scope, query)
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  return Number(total)
}

function matching(
  trx: Trx,
  { organizationId }: OrganizationScope,
  { namespace_id, kept_since, body }: Query,
) {
  let query = trx
    .selectFrom('tasks')
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('ended_at', 'is', null), eb('ended_at', '>=', kept_since)]))
  if (namespace_id !== null) query = query.where('namespace_id', '=', namespace_id)
  if (body.status) query = query.where('status', '=', storedStatus(body.status))
  if (body.task_type) query = query.where('task_type', '=', body.task_type)
  return query
}

import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import { GenericDeleteResponse } from '../../core/schema.ts'
import type { App } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import type { NamespaceLookup } from '../../http/scope.ts'
import { ListTasksBody, ListTasksResponse, TaskResponse } from './schemas.ts'
import type { TaskService } from './service.ts'

const Params = Type.Object({ task_id: Type.String() })

type Deps = { tasks: TaskService; namespaceLookup: NamespaceLookup }

export async function taskRoutes(app: App, { tasks, namespaceLookup }: Deps) {
  app.get(
    '/tasks/:task_id',
    {
      config: { permission: 'read', scope: 'organization' },
      schema: {
        operationId: 'get_task_v1_tasks__task_id__get',
        params: Params,
        response: { 200: TaskResponse, ...errorResponses },
      },
    },
    (request) => tasks.get(request.scope, request.params.task_id),
  )

  const list = async (request: FastifyRequest, body: ListTasksBody) =>
    tasks.list(request.scope, await namedNamespace(request, namespaceLookup), body, request.page)

  app.post(
    '/tasks/list',
    {
      config: { permission: 'read', scope: 'organization', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_tasks_v1_tasks_list_post',
        body: ListTasksBody,
        response: { 200: ListTasksResponse, ...errorResponses },
      },
    },
    (request) => list(request, request.body),
  )
  app.get(
    '/tasks',
    {
      config: { permission: 'read', scope: 'organization', paging: PAGE_BOUNDS, hidden: true },
      schema: { response: { 200: ListTasksResponse, ...errorResponses } },
    },
    (request) => list(request, {}),
  )

  const kill = async (request: FastifyRequest<{ Params: { task_id: string } }>) => {
    await tasks.kill(request.scope, request.params.task_id)
    return { message: 'Successfully deleted', success: true }
  }
  app.delete(
    '/tasks/:task_id',
    {
      config: { permission: 'delete', scope: 'organization' },
      schema: {
        operationId: 'kill_task_v1_tasks__task_id__delete',
        params: Params,
        response: { 200: GenericDeleteResponse, ...errorResponses },
      },
    },
    kill,
  )
  app.post(
    '/tasks/:task_id/kill',
    {
      config: { permission: 'delete', scope: 'organization', hidden: true },
      schema: { params: Params, response: { 200: GenericDeleteResponse, ...errorResponses } },
    },
    kill,
  )
}

/** Tasks belong to the organization; a namespace header only narrows a list. */
async function namedNamespace(request: FastifyRequest, lookup: NamespaceLookup): Promise<string | null> {
  const header = request.headers['x-namespace'] ?? request.headers['x-namespace-id']
  if (typeof header !== 'string' || header.trim() === '') return null
  const found = await lookup.find(request.scope.organizationId, header.trim())
  if (!found) throw new KuraError('namespace_not_found', { resource: 'namespace', id: header })
  return found.namespace_id
}

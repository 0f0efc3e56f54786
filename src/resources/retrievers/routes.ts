import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import { FreeObject } from '../../core/schema.ts'
import type { App } from '../../http/app.ts'
import { baseUrl } from '../../http/base-url.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { sendJson } from '../../http/send-json.ts'
import { stages } from '../../stages/registry.ts'
import type { ExecuteService } from './execute.ts'
import { normalizeAdhoc, normalizeDefinition, normalizeExecute } from './normalize.ts'
import {
  AdhocExecuteBody,
  CreateRetrieverBody,
  CreateRetrieverResponse,
  ExecuteBody,
  ExecuteQuery,
  ExecuteResponse,
  ListRetrieversBody,
  ListRetrieversResponse,
  Retriever,
  StageCatalogue,
} from './schemas.ts'
import type { RetrieverService } from './service.ts'

type Services = {
  retrievers: RetrieverService
  executions: ExecuteService
  config: { public_url?: string | undefined }
}

const Params = Type.Object({ retriever_id: Type.String() })

export async function retrieverRoutes(app: App, { retrievers, executions, config }: Services) {
  app.get(
    '/retrievers/stages',
    {
      schema: {
        operationId: 'list_stages_v1_retrievers_stages_get',
        querystring: Type.Object({ category: Type.Optional(Type.String()) }),
        response: { 200: StageCatalogue },
      },
    },
    async ({ query: { category } }) =>
      [...stages.values()]
        .filter((stage) => !category || stage.category === category.toLowerCase())
        .map(({ id, description, category, icon, parameters }) => ({
          stage_id: id,
          description,
          category,
          icon,
          parameter_schema: JSON.parse(JSON.stringify(parameters)),
          available: true,
        })),
  )

  app.post(
    '/retrievers',
    {
      config: { permission: 'write', normalize: normalizeDefinition },
      schema: {
        operationId: 'create_retriever_v1_retrievers_post',
        body: CreateRetrieverBody,
        response: { 200: CreateRetrieverResponse, ...errorResponses },
      },
    },
    ({ scope, body, caller }) => retrievers.create(scope, body, caller.keyId),
  )

  app.post(
    '/retrievers/list',
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_retrievers_v1_retrievers_list_post',
        body: ListRetrieversBody,
        response: { 200: ListRetrieversResponse, ...errorResponses },
      },
    },
    ({ scope, body, page }) => retrievers.list(scope, body, page),
  )

  app.post(
    '/retrievers/execute',
    {
      config: { permission: 'read', normalize: normalizeAdhoc },
      schema: {
        operationId: 'execute_adhoc_retriever_v1_retrievers_execute_post',
        body: AdhocExecuteBody,
        querystring: ExecuteQuery,
        response: { 200: ExecuteResponse, ...errorResponses },
      },
    },
    async (request, reply) => {
      const { scope, body, query } = request
      const result = await executions.executeAdhoc(scope, body, query, baseUrl(request, config))
      reply.header('x-execution-mode', 'adhoc')
      return sendJson(reply, toText(result))
    },
  )

  app.get(
    '/retrievers/:retriever_id',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_retriever_v1_retrievers__retriever_id__get',
        params: Params,
        response: { 200: Retriever, ...errorResponses },
      },
    },
    ({ scope, params }) => retrievers.get(scope, params.retriever_id),
  )

  app.delete(
    '/retrievers/:retriever_id',
    {
      config: { permission: 'delete' },
      schema: {
        operationId: 'delete_retriever_v1_retrievers__retriever_id__delete',
        params: Params,
        response: { 200: FreeObject, ...errorResponses },
      },
    },
    ({ scope, params }) => retrievers.delete(scope, params.retriever_id),
  )

  app.post(
    '/retrievers/:retriever_id/execute',
    {
      config: { permission: 'read', normalize: normalizeExecute },
      schema: {
        operationId: 'execute_retriever_v1_retrievers__retriever_id__execute_post',
        params: Params,
        querystring: ExecuteQuery,
        body: ExecuteBody,
        response: { 200: ExecuteResponse, ...errorResponses },
      },
    },
    async (request, reply) => {
      const { scope, params, body, query } = request
      const retriever = await retrievers.find(scope, params.retriever_id)
      const result = await executions.execute(scope, retriever, body, query, baseUrl(request, config))
      return sendJson(reply, toText(result))
    },
  )
}

/** `documents` and `results` are one list under two names: it becomes text once. */
function toText({ documents, results: _same, ...rest }: ExecuteResponse): string {
  const list = JSON.stringify(documents)
  return `{"documents":${list},"results":${list},${JSON.stringify(rest).slice(1)}`
}

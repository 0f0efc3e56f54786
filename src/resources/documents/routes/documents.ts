import Type from 'typebox'
import type { JsonObject } from '../../../core/json.ts'
import { PAGE_BOUNDS } from '../../../core/pagination.ts'
import { GenericDeleteResponse } from '../../../core/schema.ts'
import type { App } from '../../../http/app.ts'
import { baseUrl } from '../../../http/base-url.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import {
  CreateDocumentBody,
  DocumentResponse,
  EditDocumentBody,
  GetDocumentQuery,
  ListDocumentsBody,
  ListDocumentsResponse,
} from '../schemas.ts'
import type { DocumentService } from '../service.ts'

const CollectionParams = Type.Object({ collection_identifier: Type.String() })
const Params = Type.Object({ collection_identifier: Type.String(), document_id: Type.String() })
const DOCUMENTS = '/collections/:collection_identifier/documents'

type Deps = { documents: DocumentService; config: { public_url?: string | undefined } }

export async function documentRoutes(app: App, { documents, config }: Deps) {
  app.post(
    `${DOCUMENTS}/list`,
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_documents_v1_collections__collection_identifier__documents_list_post',
        params: CollectionParams,
        body: ListDocumentsBody,
        response: { 200: ListDocumentsResponse, ...errorResponses },
      },
    },
    (request) =>
      documents.list(request.scope, request.params.collection_identifier, request.body, {
        page: request.page,
        base_url: baseUrl(request, config),
      }),
  )
  app.get(
    `${DOCUMENTS}/:document_id`,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_document_v1_collections__collection_identifier__documents__document_id__get',
        params: Params,
        querystring: GetDocumentQuery,
        response: { 200: DocumentResponse, ...errorResponses },
      },
    },
    (request) =>
      documents.get(request.scope, request.params, { ...request.query, base_url: baseUrl(request, config) }),
  )
  app.post(
    DOCUMENTS,
    {
      config: { permission: 'write' },
      schema: {
        operationId: 'create_document_v1_collections__collection_identifier__documents_post',
        params: CollectionParams,
        body: CreateDocumentBody,
        response: { 200: DocumentResponse, ...errorResponses },
      },
    },
    (request) => documents.create(request.scope, request.params.collection_identifier, request.body),
  )
  app.put(
    `${DOCUMENTS}/:document_id`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: 'update_document_v1_collections__collection_identifier__documents__document_id__put',
        params: Params,
        body: EditDocumentBody,
        response: { 200: DocumentResponse, ...errorResponses },
      },
    },
    (request) =>
      documents.edit(request.scope, request.params, { fields: request.body as JsonObject, mode: 'replace' }),
  )
  app.patch(
    `${DOCUMENTS}/:document_id`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: 'patch_document_v1_collections__collection_identifier__documents__document_id__patch',
        params: Params,
        body: EditDocumentBody,
        response: { 200: DocumentResponse, ...errorResponses },
      },
    },
    (request) =>
      documents.edit(request.scope, request.params, { fields: request.body as JsonObject, mode: 'patch' }),
  )
  app.delete(
    `${DOCUMENTS}/:document_id`,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: 'delete_document_v1_collections__collection_identifier__documents__document_id__delete',
        params: Params,
        response: { 200: GenericDeleteResponse, ...errorResponses },
      },
    },
    async (request) => {
      const { collection_identifier, document_id } = request.params
      await documents.delete(request.scope, collection_identifier, document_id)
      return { message: 'Successfully deleted', success: true }
    },
  )
}

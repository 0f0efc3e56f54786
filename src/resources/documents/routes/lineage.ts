import Type from 'typebox'
import type { PageBounds } from '../../../core/pagination.ts'
import type { App } from '../../../http/app.ts'
import { baseUrl } from '../../../http/base-url.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import {
  DecompositionTree,
  DocumentLineage,
  ObjectDocuments,
  ObjectDocumentsQuery,
} from '../lineage-schemas.ts'
import type { DocumentService } from '../service.ts'

const ObjectParams = Type.Object({ object_id: Type.String() })
const OBJECT_DOCUMENTS_PAGE: PageBounds = { limit_default: 100, limit_max: 1000, offset_max: 10_000 }

type Deps = { documents: DocumentService; config: { public_url?: string | undefined } }

/** From a document back to its object, and from an object to what was made of it. */
export async function lineageRoutes(app: App, { documents, config }: Deps) {
  app.get(
    '/collections/:collection_id/documents/:document_id/lineage',
    {
      config: { permission: 'read' },
      schema: {
        operationId:
          'get_document_lineage_v1_collections__collection_id__documents__document_id__lineage_get',
        params: Type.Object({ collection_id: Type.String(), document_id: Type.String() }),
        response: { 200: DocumentLineage, ...errorResponses },
      },
    },
    (request) => documents.lineage(request.scope, request.params),
  )
  app.get(
    '/objects/:object_id/documents',
    {
      config: { permission: 'read', paging: OBJECT_DOCUMENTS_PAGE },
      schema: {
        operationId: 'get_documents_by_object_v1_objects__object_id__documents_get',
        params: ObjectParams,
        querystring: ObjectDocumentsQuery,
        response: { 200: ObjectDocuments, ...errorResponses },
      },
    },
    (request) =>
      documents.ofObject(request.scope, request.params.object_id, {
        query: request.query,
        page: request.page,
        base_url: baseUrl(request, config),
      }),
  )
  app.get(
    '/objects/:object_id/decomposition-tree',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_decomposition_tree_v1_objects__object_id__decomposition_tree_get',
        params: ObjectParams,
        querystring: Type.Object({ include_document_ids: Type.Optional(Type.Boolean()) }),
        response: { 200: DecompositionTree, ...errorResponses },
      },
    },
    (request) =>
      documents.decomposition(request.scope, request.params.object_id, {
        include_document_ids: request.query.include_document_ids ?? false,
      }),
  )
}

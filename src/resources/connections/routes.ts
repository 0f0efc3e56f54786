import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import type { App } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import {
  BrowseFilesQuery,
  BrowseQuery,
  CreateConnectionBody,
  DeleteConnectionResponse,
  ListConnectionsBody,
  ListConnectionsResponse,
  ListFilesResponse,
  ListFoldersResponse,
  StorageConnection,
  TestConnectionResponse,
  UpdateConnectionBody,
} from './schemas.ts'
import type { ConnectionService } from './service.ts'

const Params = Type.Object({ connection_identifier: Type.String() })
const CONFIG = { permission: 'admin', scope: 'organization' } as const
const PATH = '/organizations/connections/:connection_identifier'

/** Credentials are a matter of admins; nothing here depends on a namespace. */
export async function connectionRoutes(app: App, { connections }: { connections: ConnectionService }) {
  app.post(
    '/organizations/connections',
    {
      config: CONFIG,
      schema: {
        operationId: 'create_storage_connection_v1_organizations_connections_post',
        body: CreateConnectionBody,
        response: { 200: StorageConnection, ...errorResponses },
      },
    },
    ({ scope, body }) => connections.create(scope, body),
  )
  app.post(
    '/organizations/connections/list',
    {
      config: { ...CONFIG, paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_storage_connections_v1_organizations_connections_list_post',
        body: ListConnectionsBody,
        response: { 200: ListConnectionsResponse, ...errorResponses },
      },
    },
    ({ scope, body, page }) => connections.list(scope, body, page),
  )
  app.get(
    PATH,
    {
      config: CONFIG,
      schema: {
        operationId: 'get_storage_connection_v1_organizations_connections__connection_identifier__get',
        params: Params,
        response: { 200: StorageConnection, ...errorResponses },
      },
    },
    ({ scope, params }) => connections.get(scope, params.connection_identifier),
  )
  app.patch(
    PATH,
    {
      config: CONFIG,
      schema: {
        operationId: 'update_storage_connection_v1_organizations_connections__connection_identifier__patch',
        params: Params,
        body: UpdateConnectionBody,
        response: { 200: StorageConnection, ...errorResponses },
      },
    },
    ({ scope, params, body }) => connections.update(scope, params.connection_identifier, body),
  )
  app.delete(
    PATH,
    {
      config: CONFIG,
      schema: {
        operationId: 'delete_storage_connection_v1_organizations_connections__connection_identifier__delete',
        params: Params,
        response: { 200: DeleteConnectionResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => connections.archive(scope, params.connection_identifier),
  )
  app.post(
    `${PATH}/test`,
    {
      config: CONFIG,
      schema: {
        operationId: 'test_storage_connection_v1_organizations_connections__connection_identifier__test_post',
        params: Params,
        response: { 200: TestConnectionResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => connections.test(scope, params.connection_identifier),
  )
  app.get(
    `${PATH}/folders`,
    {
      config: CONFIG,
      schema: {
        operationId:
          'list_google_drive_folders_v1_organizations_connections__connection_identifier__folders_get',
        params: Params,
        querystring: BrowseQuery,
        response: { 200: ListFoldersResponse, ...errorResponses },
      },
    },
    ({ scope, params, query }) => connections.folders(scope, params.connection_identifier, query.path),
  )
  app.get(
    `${PATH}/files`,
    {
      config: CONFIG,
      schema: {
        operationId: 'list_google_drive_files_v1_organizations_connections__connection_identifier__files_get',
        params: Params,
        querystring: BrowseFilesQuery,
        response: { 200: ListFilesResponse, ...errorResponses },
      },
    },
    ({ scope, params, query }) => connections.files(scope, params.connection_identifier, query),
  )
}

import Type from 'typebox'
import type { PageBounds } from '../../../core/pagination.ts'
import type { App } from '../../../http/app.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import {
  CreateUserBody,
  ListUsersQuery,
  ListUsersResponse,
  SuccessResponse,
  UpdateUserBody,
  UserModel,
} from './schemas.ts'
import type { UserService } from './service.ts'

const Params = Type.Object({ user_email: Type.String() })
const ADMIN = { permission: 'admin', scope: 'organization' } as const
const PAGING: PageBounds = { limit_default: 50, limit_max: 1000, offset_max: 10_000 }

export async function userRoutes(app: App, { users }: { users: UserService }) {
  app.post(
    '/organizations/users',
    {
      config: ADMIN,
      schema: {
        operationId: 'create_user_v1_organizations_users_post',
        body: CreateUserBody,
        response: { 200: UserModel, ...errorResponses },
      },
    },
    ({ scope, body }) => users.create(scope, body),
  )
  app.get(
    '/organizations/users',
    {
      config: { ...ADMIN, paging: PAGING },
      schema: {
        operationId: 'list_users_v1_organizations_users_get',
        querystring: ListUsersQuery,
        response: { 200: ListUsersResponse, ...errorResponses },
      },
    },
    ({ scope, query, page }) => users.list(scope, query, page),
  )
  app.get(
    '/organizations/users/:user_email',
    {
      config: ADMIN,
      schema: {
        operationId: 'get_user_v1_organizations_users__user_email__get',
        params: Params,
        response: { 200: UserModel, ...errorResponses },
      },
    },
    ({ scope, params }) => users.get(scope, params.user_email),
  )
  app.patch(
    '/organizations/users/:user_email',
    {
      config: ADMIN,
      schema: {
        operationId: 'update_user_v1_organizations_users__user_email__patch',
        params: Params,
        body: UpdateUserBody,
        response: { 200: UserModel, ...errorResponses },
      },
    },
    ({ scope, params, body }) => users.update(scope, params.user_email, body),
  )
  app.delete(
    '/organizations/users/:user_email',
    {
      config: ADMIN,
      schema: {
        operationId: 'delete_user_v1_organizations_users__user_email__delete',
        params: Params,
        response: { 200: SuccessResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => users.delete(scope, params.user_email),
  )
}

import Type from 'typebox'
import { Defaulted } from '../../../core/schema.ts'
import type { App } from '../../../http/app.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import { SuccessResponse } from '../users/schemas.ts'
import {
  CreatedKey,
  CreateKeyBody,
  KeyModel,
  ListKeysResponse,
  RotateKeyBody,
  UpdateKeyBody,
} from './schemas.ts'
import type { KeyService } from './service.ts'

const UserParams = Type.Object({ user_email: Type.String() })
const Params = Type.Object({ user_email: Type.String(), key_name: Type.String() })
const ADMIN = { permission: 'admin', scope: 'organization' } as const
const KEYS = '/organizations/users/:user_email/api-keys'

export async function keyRoutes(app: App, { keys }: { keys: KeyService }) {
  app.post(
    KEYS,
    {
      config: ADMIN,
      schema: {
        operationId: 'create_api_key_v1_organizations_users__user_email__api_keys_post',
        params: UserParams,
        body: CreateKeyBody,
        response: { 200: CreatedKey, ...errorResponses },
      },
    },
    ({ scope, caller, params, body }) => keys.create(scope, caller, params.user_email, body),
  )
  app.get(
    KEYS,
    {
      config: ADMIN,
      schema: {
        operationId: 'list_api_keys_v1_organizations_users__user_email__api_keys_get',
        params: UserParams,
        querystring: Type.Object({ include_revoked: Defaulted(Type.Boolean(), false) }),
        response: { 200: ListKeysResponse, ...errorResponses },
      },
    },
    ({ scope, params, query }) => keys.list(scope, params.user_email, query.include_revoked),
  )
  app.patch(
    `${KEYS}/:key_name`,
    {
      config: ADMIN,
      schema: {
        operationId: 'update_api_key_v1_organizations_users__user_email__api_keys__key_name__patch',
        params: Params,
        body: UpdateKeyBody,
        response: { 200: KeyModel, ...errorResponses },
      },
    },
    ({ scope, caller, params, body }) => keys.update(scope, caller, params.user_email, params.key_name, body),
  )
  app.delete(
    `${KEYS}/:key_name`,
    {
      config: ADMIN,
      schema: {
        operationId: 'delete_api_key_v1_organizations_users__user_email__api_keys__key_name__delete',
        params: Params,
        response: { 200: SuccessResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => keys.delete(scope, params.user_email, params.key_name),
  )
  app.post(
    `${KEYS}/:key_name/rotate`,
    {
      config: ADMIN,
      schema: {
        operationId: 'rotate_api_key_v1_organizations_users__user_email__api_keys__key_name__rotate_post',
        params: Params,
        body: RotateKeyBody,
        response: { 200: CreatedKey, ...errorResponses },
      },
    },
    ({ scope, caller, params, body }) => keys.rotate(scope, caller, params.user_email, params.key_name, body),
  )
}

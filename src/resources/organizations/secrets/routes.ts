import Type from 'typebox'
import type { App } from '../../../http/app.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import { CreateSecretBody, SecretResponse, SecretsListResponse, UpdateSecretBody } from './schemas.ts'
import type { SecretService } from './service.ts'

const Params = Type.Object({ secret_name: Type.String() })
const ADMIN = { permission: 'admin', scope: 'organization' } as const

export async function secretRoutes(app: App, { secrets }: { secrets: SecretService }) {
  app.post(
    '/organizations/secrets',
    {
      config: ADMIN,
      schema: {
        operationId: 'create_secret_v1_organizations_secrets_post',
        body: CreateSecretBody,
        response: { 201: SecretResponse, ...errorResponses },
      },
    },
    async ({ scope, body }, reply) => {
      const created = await secrets.create(scope, body)
      return reply.code(201).send(created)
    },
  )
  app.get(
    '/organizations/secrets',
    {
      config: { permission: 'read', scope: 'organization' },
      schema: {
        operationId: 'list_secrets_v1_organizations_secrets_get',
        response: { 200: SecretsListResponse, ...errorResponses },
      },
    },
    ({ scope }) => secrets.list(scope),
  )
  app.put(
    '/organizations/secrets/:secret_name',
    {
      config: ADMIN,
      schema: {
        operationId: 'update_secret_v1_organizations_secrets__secret_name__put',
        params: Params,
        body: UpdateSecretBody,
        response: { 200: SecretResponse, ...errorResponses },
      },
    },
    ({ scope, params, body }) => secrets.update(scope, params.secret_name, body),
  )
  app.delete(
    '/organizations/secrets/:secret_name',
    {
      config: ADMIN,
      schema: {
        operationId: 'delete_secret_v1_organizations_secrets__secret_name__delete',
        params: Params,
        response: { 200: SecretResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => secrets.delete(scope, params.secret_name),
  )
}

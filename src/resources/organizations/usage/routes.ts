import Type from 'typebox'
import type { App } from '../../../http/app.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import { EndpointUsage, KeyUsage, OrganizationUsage, UsageQuery } from './schemas.ts'
import type { UsageService } from './service.ts'

const Params = Type.Object({ key_id: Type.String() })
const READ = { permission: 'read', scope: 'organization' } as const

export async function usageRoutes(app: App, { usage }: { usage: UsageService }) {
  app.get(
    '/organizations/usage',
    {
      config: READ,
      schema: {
        operationId: 'get_org_usage_v1_organizations_usage_get',
        querystring: UsageQuery,
        response: { 200: OrganizationUsage, ...errorResponses },
      },
    },
    ({ scope, query }) => usage.ofOrganization(scope, query),
  )
  app.get(
    '/organizations/api-keys/:key_id/usage',
    {
      config: READ,
      schema: {
        operationId: 'get_api_key_usage_v1_organizations_api_keys__key_id__usage_get',
        params: Params,
        querystring: UsageQuery,
        response: { 200: KeyUsage, ...errorResponses },
      },
    },
    ({ scope, params, query }) => usage.ofKey(scope, params.key_id, query),
  )
  app.get(
    '/organizations/api-keys/:key_id/usage/endpoints',
    {
      config: READ,
      schema: {
        operationId: 'get_api_key_endpoint_breakdown_v1_organizations_api_keys__key_id__usage_endpoints_get',
        params: Params,
        querystring: UsageQuery,
        response: { 200: Type.Array(EndpointUsage), ...errorResponses },
      },
    },
    ({ scope, params, query }) => usage.endpointsOfKey(scope, params.key_id, query),
  )
}

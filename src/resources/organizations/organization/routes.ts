import Type from 'typebox'
import { KuraError } from '../../../core/errors.ts'
import type { App } from '../../../http/app.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import { AddCreditsBody, AddCreditsResponse, OrganizationModel, UpdateOrganizationBody } from './schemas.ts'
import type { OrganizationService } from './service.ts'

export async function organizationRoutes(app: App, { organization }: { organization: OrganizationService }) {
  app.get(
    '/organizations',
    {
      config: { permission: 'read', scope: 'organization' },
      schema: {
        operationId: 'get_organization_v1_organizations_get',
        response: { 200: OrganizationModel, ...errorResponses },
      },
    },
    ({ scope }) => organization.get(scope),
  )
  app.patch(
    '/organizations',
    {
      config: { permission: 'admin', scope: 'organization' },
      schema: {
        operationId: 'update_organization_v1_organizations_patch',
        body: UpdateOrganizationBody,
        response: { 200: OrganizationModel, ...errorResponses },
      },
    },
    ({ scope, body }) => organization.update(scope, body),
  )
  app.post(
    '/organizations/credits',
    {
      config: { permission: 'admin', scope: 'organization' },
      schema: {
        operationId: 'add_credits_v1_organizations_credits_post',
        body: AddCreditsBody,
        response: { 200: AddCreditsResponse, ...errorResponses },
      },
    },
    async () => {
      throw new KuraError('not_enabled', { feature: 'Buying credits' })
    },
  )
  // Billing is a business of the hosted service. A clear refusal tells more than an unknown path.
  for (const method of ['GET', 'POST'] as const)
    app.route({
      method,
      url: '/organizations/billing/*',
      config: { permission: 'read', scope: 'organization', hidden: true },
      schema: { response: { 200: Type.Unknown(), ...errorResponses } },
      handler: async () => {
        throw new KuraError('not_enabled', { feature: 'Billing' })
      },
    })
}

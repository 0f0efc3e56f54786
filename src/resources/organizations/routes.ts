import type { App } from '../../http/app.ts'
import { keyRoutes } from './api-keys/routes.ts'
import { auditRoutes } from './audit/routes.ts'
import type { OrganizationServices } from './create-services.ts'
import { organizationRoutes } from './organization/routes.ts'
import { secretRoutes } from './secrets/routes.ts'
import { usageRoutes } from './usage/routes.ts'
import { userRoutes } from './users/routes.ts'

/** Everything under /organizations that this folder answers. */
export async function organizationsRoutes(
  app: App,
  { organizations }: { organizations: OrganizationServices },
) {
  await app.register(organizationRoutes, organizations)
  await app.register(userRoutes, organizations)
  await app.register(keyRoutes, organizations)
  await app.register(secretRoutes, organizations)
  await app.register(auditRoutes, organizations)
  await app.register(usageRoutes, organizations)
}

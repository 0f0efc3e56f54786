import Type from 'typebox'
import type { App } from '../../http/app.ts'
import { ErrorResponse } from '../../http/error-handler.ts'
import { HealthReport } from './schemas.ts'
import type { HealthService } from './service.ts'

export async function healthRoutes(app: App, { health }: { health: HealthService }) {
  app.get(
    '/health',
    {
      schema: {
        operationId: 'healthcheck_v1_health_get',
        response: { 200: HealthReport, 503: ErrorResponse },
      },
    },
    () => health.check(),
  )
  app.get(
    '/health/liveness',
    {
      schema: {
        operationId: 'liveness_v1_health_liveness_get',
        response: { 200: Type.Object({ status: Type.String() }) },
      },
    },
    async () => ({ status: 'ok' }),
  )
}

import Type, { type Static } from 'typebox'
import { FreeObject, Nullable } from '../../core/schema.ts'

const parts = <T>(make: () => T) => ({
  cache: make(),
  metadata: make(),
  vector_store: make(),
  object_storage: make(),
  task_queue: make(),
  inference: make(),
})

export const HealthReport = Type.Object(
  {
    status: Type.Enum(['OK', 'DEGRADED']),
    data: Type.Object({ ...parts(() => Type.Boolean()), analytics: Type.Optional(Nullable(Type.Boolean())) }),
    errors: Type.Optional(
      Nullable(
        Type.Object({
          ...parts(() => Type.Optional(Nullable(Type.String()))),
          analytics: Type.Optional(Nullable(Type.String())),
        }),
      ),
    ),
    meta: Type.Optional(Nullable(FreeObject)),
  },
  { $id: 'HealthCheckResponse' },
)
export type HealthReport = Static<typeof HealthReport>

import Type, { type Static } from 'typebox'
import { optional } from '../../../core/schema.ts'

/** Larger ones are files, not secrets. */
const SecretValue = Type.String({ minLength: 1, maxLength: 65_536 })

export const CreateSecretBody = Type.Object(
  {
    secret_name: Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9_.\\-]+$' }),
    secret_value: SecretValue,
  },
  { $id: 'CreateSecretRequest' },
)
export type CreateSecretBody = Static<typeof CreateSecretBody>

export const UpdateSecretBody = Type.Object({ secret_value: SecretValue }, { $id: 'UpdateSecretRequest' })
export type UpdateSecretBody = Static<typeof UpdateSecretBody>

/** What was done; the value is never answered. */
export const SecretResponse = Type.Object(
  {
    secret_name: Type.String(),
    created: optional(Type.Boolean()),
    updated: optional(Type.Boolean()),
    deleted: optional(Type.Boolean()),
  },
  { $id: 'SecretResponse' },
)
export type SecretResponse = Static<typeof SecretResponse>

export const SecretsListResponse = Type.Object(
  { secrets: Type.Array(Type.String()), count: Type.Integer() },
  { $id: 'SecretsListResponse' },
)
export type SecretsListResponse = Static<typeof SecretsListResponse>

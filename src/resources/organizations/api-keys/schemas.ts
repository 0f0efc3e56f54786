import Type, { type Static } from 'typebox'
import { SCOPE_OPERATIONS, SCOPE_RESOURCE_TYPES } from '../../../core/key-scopes.ts'
import { PERMISSIONS } from '../../../core/permissions.ts'
import { Defaulted, optional, Timestamp } from '../../../core/schema.ts'

const PermissionName = Type.Enum([...PERMISSIONS], { $id: 'Permission' })

export const KeyScope = Type.Object(
  {
    resource_type: Type.Enum([...SCOPE_RESOURCE_TYPES]),
    resource_id: Type.String({ minLength: 1, maxLength: 100 }),
    operations: optional(Type.Array(Type.Enum([...SCOPE_OPERATIONS]), { maxItems: SCOPE_OPERATIONS.length })),
  },
  { $id: 'ResourceScope' },
)

const Permissions = Type.Array(PermissionName, { maxItems: PERMISSIONS.length })
const Scopes = Type.Array(KeyScope, { maxItems: 50 })
const RateLimitOverride = Type.Integer({ minimum: 1, maximum: 1_000_000_000 })
const Origins = Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { maxItems: 50 })
const Name = Type.String({ minLength: 1, maxLength: 100 })
const Description = Type.String({ maxLength: 500 })

const keyMembers = {
  key_id: Type.String(),
  key_hash: Type.String(),
  key_prefix: optional(Type.String()),
  key_type: Type.Enum(['standard', 'marketplace_subscription', 'retriever']),
  subscription_id: optional(Type.String()),
  internal_id: Type.String(),
  organization_id: optional(Type.String()),
  user_id: Type.String(),
  name: Type.String(),
  description: Type.String(),
  permissions: Permissions,
  scopes: Type.Array(KeyScope),
  rate_limit_override: optional(Type.Integer()),
  status: Type.Enum(['active', 'revoked', 'expired'], { $id: 'KeyStatus' }),
  expires_at: optional(Timestamp),
  last_used_at: optional(Timestamp),
  created_at: Timestamp,
  created_by: optional(Type.String()),
  revoked_at: optional(Timestamp),
  revoked_by: optional(Type.String()),
  allowed_origins: optional(Type.Array(Type.String())),
}

export const KeyModel = Type.Object(keyMembers, { $id: 'APIKeyModel' })
export type KeyModel = Static<typeof KeyModel>

/** The only answer that holds the key itself. */
export const CreatedKey = Type.Object({ ...keyMembers, key: Type.String() }, { $id: 'APIKeyCreateResponse' })
export type CreatedKey = Static<typeof CreatedKey>

export const CreateKeyBody = Type.Object(
  {
    name: Name,
    description: optional(Description),
    permissions: Defaulted(Permissions, ['read']),
    scopes: optional(Scopes),
    rate_limit_override: optional(RateLimitOverride),
    expires_at: optional(Timestamp),
    allowed_origins: optional(Origins),
  },
  { $id: 'APIKeyCreateRequest' },
)
export type CreateKeyBody = Static<typeof CreateKeyBody>

export const UpdateKeyBody = Type.Object(
  {
    name: optional(Name),
    description: optional(Description),
    permissions: optional(Permissions),
    scopes: optional(Scopes),
    rate_limit_override: optional(RateLimitOverride),
    expires_at: optional(Timestamp),
    status: optional(Type.Enum(['active', 'revoked', 'expired'])),
    allowed_origins: optional(Origins),
  },
  { $id: 'APIKeyUpdateRequest' },
)
export type UpdateKeyBody = Static<typeof UpdateKeyBody>

export const RotateKeyBody = Type.Object(
  {
    overlap_seconds: Defaulted(
      Type.Integer({
        minimum: 0,
        maximum: 30 * 24 * 3600,
        description: 'How long the old key works on; 0: not at all.',
      }),
      0,
    ),
  },
  { $id: 'RotateKeyRequest' },
)
export type RotateKeyBody = Static<typeof RotateKeyBody>

export const ListKeysResponse = Type.Object({ results: Type.Array(KeyModel), total: Type.Integer() })
export type ListKeysResponse = Static<typeof ListKeysResponse>

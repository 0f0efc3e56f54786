import Type, { type Static } from 'typebox'
import { RATE_CATEGORIES, type RateCategory } from '../../../core/permissions.ts'
import { FreeObject, optional, Timestamp } from '../../../core/schema.ts'

const Limit = Type.Integer({ minimum: 1, maximum: 1_000_000_000 })

/** Requests a minute, by category. */
export const RateLimitsModel = Type.Object(
  Object.fromEntries(RATE_CATEGORIES.map((one) => [one, Limit])) as Record<RateCategory, typeof Limit>,
  { $id: 'BaseRateLimits' },
)

/** A change may name some categories only. */
const RateLimitsChange = Type.Object(
  Object.fromEntries(RATE_CATEGORIES.map((one) => [one, Type.Optional(Limit)])) as Record<
    RateCategory,
    Type.TOptional<typeof Limit>
  >,
)

export const OrganizationModel = Type.Object(
  {
    organization_id: Type.String(),
    organization_name: Type.String(),
    logo_url: optional(Type.String()),
    account_type: Type.Enum(['free', 'pro', 'team', 'enterprise']),
    credit_count: Type.Integer(),
    metadata: FreeObject,
    billing_email: optional(Type.String()),
    rate_limits: RateLimitsModel,
    auto_billing_enabled: Type.Boolean(),
    billing_cycle_start: Type.Integer(),
    current_month_usage: Type.Integer(),
    created_at: Timestamp,
    updated_at: Timestamp,
    users: optional(Type.Array(FreeObject)),
  },
  { $id: 'OrganizationModelResponse' },
)
export type OrganizationModel = Static<typeof OrganizationModel>

export const UpdateOrganizationBody = Type.Object(
  {
    organization_name: optional(Type.String({ minLength: 1, maxLength: 255 })),
    logo_url: optional(Type.String({ maxLength: 2083 })),
    billing_email: optional(Type.String({ maxLength: 320, pattern: '^[^\\s@]+@[^\\s@]+$' })),
    metadata: optional(FreeObject),
    rate_limits: optional(RateLimitsChange),
  },
  { $id: 'OrganizationUpdateRequest' },
)
export type UpdateOrganizationBody = Static<typeof UpdateOrganizationBody>

export const AddCreditsBody = Type.Object(
  { credits: Type.Integer({ exclusiveMinimum: 0 }) },
  { $id: 'AddCreditsRequest' },
)

const AccountTier = Type.Enum(['free', 'pro', 'team', 'enterprise'])

/** Declared for clients; a self-hosted server never answers it. */
export const AddCreditsResponse = Type.Object(
  {
    previous_balance: Type.Integer(),
    credits_added: Type.Integer(),
    new_balance: Type.Integer(),
    previous_tier: AccountTier,
    new_tier: AccountTier,
    tier_upgraded: Type.Boolean(),
  },
  { $id: 'AddCreditsResponse' },
)

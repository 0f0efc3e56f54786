import { KuraError } from '../../../core/errors.ts'
import { omitNulls } from '../../../core/json.ts'
import type { RateLimits } from '../../../core/permissions.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { timestamp } from '../../../core/time.ts'
import { recordAudit } from '../../../platform/audit/audit-log.ts'
import { changesOf } from '../../../platform/audit/changes.ts'
import { type Db, inTransaction } from '../../../platform/db/db.ts'
import { checkMetadata } from '../check-metadata.ts'
import { reportedLimits } from '../limits.ts'
import { getOrganization } from '../store.ts'
import type { OrganizationModel, UpdateOrganizationBody } from './schemas.ts'

type Options = { db: Db; rate_limit_per_minute: number; onKeysChanged: () => void }

/** The one organization of a request. */
export class OrganizationService {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  async get(scope: OrganizationScope): Promise<OrganizationModel> {
    return this.#present(await getOrganization(this.#options.db, scope))
  }

  /** Null clears `logo_url`, `billing_email`, `metadata` and `rate_limits`; metadata is replaced whole. */
  async update(scope: OrganizationScope, body: UpdateOrganizationBody): Promise<OrganizationModel> {
    const { organization_name, logo_url, billing_email, metadata, rate_limits } = body
    if (
      Object.values({ ...body, organization_name: organization_name ?? undefined }).every(
        (one) => one === undefined,
      )
    )
      throw new KuraError('empty_update')
    checkMetadata(metadata)
    const after = await inTransaction(this.#options.db, async (trx) => {
      const before = this.#present(await getOrganization(trx, scope))
      const limits = rate_limits && ({ ...before.rate_limits, ...rate_limits } as RateLimits)
      await trx
        .updateTable('organizations')
        .set({
          updated_at: timestamp(),
          ...(organization_name && { organization_name }),
          ...(logo_url !== undefined && { logo_url }),
          ...(billing_email !== undefined && { billing_email }),
          ...(metadata !== undefined && { metadata: JSON.stringify(metadata ?? {}) }),
          ...(rate_limits !== undefined && { rate_limits: limits ? JSON.stringify(limits) : null }),
        })
        .where('organization_id', '=', scope.organizationId)
        .execute()
      const current = this.#present(await getOrganization(trx, scope))
      await recordAudit(trx, scope, {
        action: 'organization_updated',
        resource_type: 'organization',
        resource_id: scope.organizationId,
        changes: changesOf(before, current, [
          'organization_name',
          'logo_url',
          'billing_email',
          'metadata',
          'rate_limits',
        ]),
      })
      return current
    })
    // Limits travel with the callers that are known.
    this.#options.onKeysChanged()
    return after
  }

  #present(row: Awaited<ReturnType<typeof getOrganization>>): OrganizationModel {
    const organization = row.rate_limits === null ? null : (JSON.parse(row.rate_limits) as RateLimits)
    return omitNulls({
      organization_id: row.organization_id,
      organization_name: row.organization_name,
      logo_url: row.logo_url,
      account_type: 'enterprise' as const,
      credit_count: 0,
      metadata: JSON.parse(row.metadata) as Record<string, unknown>,
      billing_email: row.billing_email,
      rate_limits: reportedLimits({ configured: this.#options.rate_limit_per_minute, organization }),
      auto_billing_enabled: false,
      billing_cycle_start: 1,
      current_month_usage: 0,
      created_at: row.created_at,
      updated_at: row.updated_at,
    })
  }
}

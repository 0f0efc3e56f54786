import { KuraError } from '../../../core/errors.ts'
import { compareCodePoints } from '../../../core/filters/fold.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { timestamp } from '../../../core/time.ts'
import { recordAudit } from '../../../platform/audit/audit-log.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../../platform/db/db.ts'
import type { SecretBox } from '../../../platform/secrets/secret-box.ts'
import { secretContext } from '../../../platform/secrets/vault.ts'
import type { CreateSecretBody, SecretResponse, SecretsListResponse, UpdateSecretBody } from './schemas.ts'

/** Values that go in and never come out: only a run that uses them opens them (platform/secrets/vault.ts). */
export class SecretService {
  readonly #db: Db
  readonly #box: SecretBox

  constructor({ db, box }: { db: Db; box: SecretBox }) {
    this.#db = db
    this.#box = box
  }

  /** Throws `secret_name_taken`. */
  async create(
    scope: OrganizationScope,
    { secret_name, secret_value }: CreateSecretBody,
  ): Promise<SecretResponse> {
    const now = timestamp()
    const sealed = this.#box.seal(secret_value, secretContext(scope.organizationId, secret_name))
    try {
      await inTransaction(this.#db, async (trx) => {
        await trx
          .insertInto('secrets')
          .values({
            organization_id: scope.organizationId,
            secret_name,
            sealed,
            created_at: now,
            updated_at: now,
          })
          .execute()
        await audit(trx, scope, 'secret_created', secret_name)
      })
    } catch (error) {
      if (isUniqueViolation(error))
        throw new KuraError('secret_name_taken', { secret_name }, { cause: error })
      throw error
    }
    return { secret_name, created: true }
  }

  /** The names, sorted. */
  async list({ organizationId }: OrganizationScope): Promise<SecretsListResponse> {
    const rows = await this.#db
      .selectFrom('secrets')
      .select('secret_name')
      .where('organization_id', '=', organizationId)
      .execute()
    const secrets = rows.map(({ secret_name }) => secret_name).sort(compareCodePoints)
    return { secrets, count: secrets.length }
  }

  /** Replaces the value. Throws `unknown_secret`. */
  async update(
    scope: OrganizationScope,
    secret_name: string,
    { secret_value }: UpdateSecretBody,
  ): Promise<SecretResponse> {
    const sealed = this.#box.seal(secret_value, secretContext(scope.organizationId, secret_name))
    await inTransaction(this.#db, async (trx) => {
      const { numUpdatedRows } = await trx
        .updateTable('secrets')
        .set({ sealed, updated_at: timestamp() })
        .where('organization_id', '=', scope.organizationId)
        .where('secret_name', '=', secret_name)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw unknown(secret_name)
      await audit(trx, scope, 'secret_updated', secret_name)
    })
    return { secret_name, updated: true }
  }

  /** Throws `unknown_secret`. What refers to it fails when it runs next. */
  async delete(scope: OrganizationScope, secret_name: string): Promise<SecretResponse> {
    await inTransaction(this.#db, async (trx) => {
      const { numDeletedRows } = await trx
        .deleteFrom('secrets')
        .where('organization_id', '=', scope.organizationId)
        .where('secret_name', '=', secret_name)
        .executeTakeFirst()
      if (numDeletedRows === 0n) throw unknown(secret_name)
      await audit(trx, scope, 'secret_deleted', secret_name)
    })
    return { secret_name, deleted: true }
  }
}

const unknown = (id: string) => new KuraError('unknown_secret', { resource: 'secret', id })

/** That it changed, never into what. */
const audit = (trx: Trx, scope: OrganizationScope, action: string, secret_name: string) =>
  recordAudit(trx, scope, { action, resource_type: 'secret', resource_id: secret_name })

import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import { type AdapterConfig, readAdapter, refuseMasks, restoreMasked } from './config.ts'

/** An adapter with the bucket that it feeds. */
export type FoundAdapter = { scope: Scope; bucket_id: string; config: AdapterConfig }

/** Adapters with their secrets, sealed; buckets show them masked. */
export class SourceAdapterStore {
  readonly #secrets: SecretBox

  constructor(secrets: SecretBox) {
    this.#secrets = secrets
  }

  /**
   * Keeps what a bucket's `source_adapter` says, in the transaction that changes the bucket; what is no
   * adapter of ours removes it. Throws 422.
   */
  async save(trx: Trx, scope: Scope, bucket_id: string, source_adapter: unknown): Promise<void> {
    const current = (await this.find(trx, bucket_id))?.config ?? null
    const config = readAdapter(restoreMasked(source_adapter, current))
    const { organizationId: organization_id, namespaceId: namespace_id } = scope
    if (!config) {
      await trx
        .deleteFrom('source_adapters')
        .where('namespace_id', '=', namespace_id)
        .where('bucket_id', '=', bucket_id)
        .execute()
      return
    }
    refuseMasks(config)
    const config_sealed = this.#secrets.seal(JSON.stringify(config), contextOf({ namespace_id, bucket_id }))
    const updated_at = timestamp()
    await trx
      .insertInto('source_adapters')
      .values({ organization_id, namespace_id, bucket_id, config_sealed, updated_at })
      .onConflict((conflict) =>
        conflict.columns(['namespace_id', 'bucket_id']).doUpdateSet({ config_sealed, updated_at }),
      )
      .execute()
  }

  /** By the id of its bucket alone: who sends events has no key that says where it belongs. */
  async find(db: DbOrTrx, bucket_id: string): Promise<FoundAdapter | undefined> {
    const row = await db
      .selectFrom('source_adapters')
      .selectAll()
      .where('bucket_id', '=', bucket_id)
      .executeTakeFirst()
    if (!row) return undefined
    return {
      scope: { organizationId: row.organization_id, namespaceId: row.namespace_id },
      bucket_id,
      config: JSON.parse(this.#secrets.open(row.config_sealed, contextOf(row))),
    }
  }
}

const contextOf = ({ namespace_id, bucket_id }: { namespace_id: string; bucket_id: string }) =>
  `source_adapters ${namespace_id} ${bucket_id}`

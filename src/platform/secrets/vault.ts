import { KuraError } from '../../core/errors.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { fillSecrets, secretNames } from '../../core/secret-references.ts'
import type { DbOrTrx } from '../db/db.ts'
import type { SecretBox } from './secret-box.ts'

type Organization = Pick<OrganizationScope, 'organizationId'>

/**
 * The secrets of organizations, read at the moment when they are used. What it returns MUST NOT be
 * stored, logged or answered.
 */
export class Vault {
  readonly #db: DbOrTrx
  readonly #box: SecretBox

  constructor({ db, box }: { db: DbOrTrx; box: SecretBox }) {
    this.#db = db
    this.#box = box
  }

  /** Throws `secret_not_found`. */
  async get(organization: Organization, secret_name: string): Promise<string> {
    return (await this.#read(organization, [secret_name])).get(secret_name)!
  }

  /**
   * A copy of parameters with every reference to a secret replaced by it (core/secret-references.ts);
   * the value itself when it has none. Throws `secret_not_found`.
   */
  async fill<T>(organization: Organization, value: T): Promise<T> {
    const names = secretNames(value)
    if (names.length === 0) return value
    const secrets = await this.#read(organization, names)
    return fillSecrets(value, (name) => secrets.get(name)!) as T
  }

  async #read({ organizationId }: Organization, names: readonly string[]): Promise<Map<string, string>> {
    const rows = await this.#db
      .selectFrom('secrets')
      .select(['secret_name', 'sealed'])
      .where('organization_id', '=', organizationId)
      .where('secret_name', 'in', names)
      .execute()
    const secrets = new Map(
      rows.map(({ secret_name, sealed }) => [
        secret_name,
        this.#box.open(sealed, secretContext(organizationId, secret_name)),
      ]),
    )
    for (const name of names) if (!secrets.has(name)) throw new KuraError('secret_not_found', { name })
    return secrets
  }
}

/** What a sealed secret is bound to. */
export const secretContext = (organization_id: string, secret_name: string) =>
  `secrets/${organization_id}/${secret_name}`

import { KuraError } from '../../../core/errors.ts'
import { apiKey, newId, sha256 } from '../../../core/ids.ts'
import { omitNulls } from '../../../core/json.ts'
import type { ResourceScope } from '../../../core/key-scopes.ts'
import type { Caller, Permission, UserRole } from '../../../core/permissions.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { type Clock, systemClock, timestamp, toTimestamp } from '../../../core/time.ts'
import { recordAudit } from '../../../platform/audit/audit-log.ts'
import { changesOf } from '../../../platform/audit/changes.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../../platform/db/db.ts'
import { ROOT_KEY_NAME } from '../bootstrap.ts'
import { getOrganization } from '../store.ts'
import type { SuccessResponse } from '../users/schemas.ts'
import { getUser, lockUsers } from '../users/store.ts'
import { checkedExpiry, checkedName, checkedOrigins, checkPermissions, checkScopes } from './checks.ts'
import type {
  CreatedKey,
  CreateKeyBody,
  KeyModel,
  ListKeysResponse,
  RotateKeyBody,
  UpdateKeyBody,
} from './schemas.ts'
import * as store from './store.ts'

const AUDITED = [
  'name',
  'description',
  'permissions',
  'scopes',
  'status',
  'expires_at',
  'rate_limit_override',
  'allowed_origins',
] as const

type Options = { db: Db; onKeysChanged: () => void; clock?: Clock }

/** The keys of users. A key itself is shown once, when it is made; only its hash is kept. */
export class KeyService {
  readonly #db: Db
  readonly #onKeysChanged: () => void
  readonly #clock: Clock

  constructor({ db, onKeysChanged, clock = systemClock }: Options) {
    this.#db = db
    this.#onKeysChanged = onKeysChanged
    this.#clock = clock
  }

  /** Throws `user_not_found`, `api_key_name_taken`, `permission_exceeded`, `scope_denied`, `reserved_name`, 422. */
  async create(
    scope: OrganizationScope,
    maker: Caller,
    owner: string,
    body: CreateKeyBody,
  ): Promise<CreatedKey> {
    const name = checkedName(body.name)
    const scopes = body.scopes ?? []
    checkScopes(scopes, maker)
    const key = apiKey()
    const now = timestamp()
    const row = {
      ...keyRow(key, name),
      organization_id: scope.organizationId,
      description: body.description ?? '',
      permissions: JSON.stringify([...new Set(body.permissions)]),
      scopes: JSON.stringify(scopes),
      rate_limit_override: body.rate_limit_override ?? null,
      allowed_origins: body.allowed_origins?.length
        ? JSON.stringify(checkedOrigins(body.allowed_origins))
        : null,
      expires_at: body.expires_at ? checkedExpiry(body.expires_at, this.#clock.now()) : null,
      created_at: now,
      created_by: scope.actor?.userId ?? null,
      updated_at: now,
    }
    const created = await this.#named(name, async (trx) => {
      await lockUsers(trx, scope)
      const user = await getUser(trx, scope, owner)
      checkPermissions(body.permissions, maker, user.role as UserRole)
      await store.markExpired(trx, user.user_id)
      const whole = { ...row, user_id: user.user_id }
      await store.insertKey(trx, whole)
      const model = await this.#present(trx, scope, whole)
      await audit(trx, scope, 'api_key_created', null, model)
      return model
    })
    return { ...created, key }
  }

  /** Newest first; revoked and expired ones on request only. */
  async list(scope: OrganizationScope, owner: string, include_revoked: boolean): Promise<ListKeysResponse> {
    const { user_id } = await getUser(this.#db, scope, owner)
    const { internal_id } = await getOrganization(this.#db, scope)
    const all = (await store.listKeys(this.#db, scope, user_id)).map((row) => this.#model(row, internal_id))
    const results = include_revoked ? all : all.filter(({ status }) => status === 'active')
    return { results, total: results.length }
  }

  /** Throws `key_protected`, `api_key_not_active`, and what `create` throws. Lists are replaced, null clears. */
  async update(
    scope: OrganizationScope,
    maker: Caller,
    owner: string,
    identifier: string,
    body: UpdateKeyBody,
  ): Promise<KeyModel> {
    const name = body.name ? checkedName(body.name) : undefined
    if (Object.values(body).every((one) => one === undefined)) throw new KuraError('empty_update')
    if (body.scopes !== undefined) checkScopes(body.scopes ?? [], maker)
    const change = {
      ...(name !== undefined && { name }),
      ...(body.description !== undefined && { description: body.description ?? '' }),
      ...(body.permissions && { permissions: JSON.stringify([...new Set(body.permissions)]) }),
      ...(body.scopes !== undefined && { scopes: JSON.stringify(body.scopes ?? []) }),
      ...(body.rate_limit_override !== undefined && { rate_limit_override: body.rate_limit_override }),
      ...(body.allowed_origins !== undefined && {
        allowed_origins: body.allowed_origins?.length
          ? JSON.stringify(checkedOrigins(body.allowed_origins))
          : null,
      }),
      ...(body.expires_at !== undefined && {
        expires_at: body.expires_at === null ? null : checkedExpiry(body.expires_at, this.#clock.now()),
      }),
      updated_at: timestamp(),
    }
    const changed = await this.#named(name ?? '', async (trx) => {
      await lockUsers(trx, scope)
      const user = await getUser(trx, scope, owner)
      const row = changeable(await store.getKey(trx, scope, user.user_id, identifier))
      const before = await this.#present(trx, scope, row)
      if (before.status !== 'active') throw new KuraError('api_key_not_active', { status: before.status })
      if (body.permissions) {
        checkPermissions(body.permissions, maker, user.role as UserRole)
        // More permissions are more within all that the key reaches.
        checkScopes(body.scopes ?? (JSON.parse(row.scopes) as ResourceScope[]), maker)
      }
      const isRevoked = body.status === 'revoked' || body.status === 'expired'
      await store.updateKey(trx, row.key_id, { ...change, ...(isRevoked && revoked(scope)) })
      const after = await this.#present(trx, scope, await store.getKey(trx, scope, user.user_id, row.key_id))
      await audit(trx, scope, isRevoked ? 'api_key_revoked' : actionOf(body), before, after)
      return after
    })
    this.#onKeysChanged()
    return changed
  }

  /**
   * A new key with the settings of the old one, which is revoked at once, or works on for
   * `overlap_seconds` so that clients can be changed one by one.
   */
  async rotate(
    scope: OrganizationScope,
    maker: Caller,
    owner: string,
    identifier: string,
    { overlap_seconds }: RotateKeyBody,
  ): Promise<CreatedKey> {
    const key = apiKey()
    const rotated = await inTransaction(this.#db, async (trx) => {
      await lockUsers(trx, scope)
      const user = await getUser(trx, scope, owner)
      const old = changeable(await store.getKey(trx, scope, user.user_id, identifier))
      const before = await this.#present(trx, scope, old)
      if (before.status !== 'active') throw new KuraError('api_key_not_active', { status: before.status })
      checkPermissions(JSON.parse(old.permissions) as Permission[], maker, user.role as UserRole)
      checkScopes(JSON.parse(old.scopes) as ResourceScope[], maker)
      const now = timestamp()
      const row = {
        ...old,
        ...keyRow(key, old.name),
        created_at: now,
        created_by: scope.actor?.userId ?? null,
        updated_at: now,
      }
      // The old one gives up its name first.
      await store.updateKey(trx, old.key_id, {
        replaced_by: row.key_id,
        ...(overlap_seconds === 0
          ? revoked(scope)
          : {
              expires_at: sooner(old.expires_at, this.#clock.now() + overlap_seconds * 1000),
              updated_at: now,
            }),
      })
      await store.insertKey(trx, row)
      const model = await this.#present(trx, scope, row)
      await recordAudit(trx, scope, {
        action: 'api_key_rotated',
        resource_type: 'api_key',
        resource_id: row.key_id,
        changes: { key_id: { old: old.key_id, new: row.key_id } },
      })
      return model
    })
    this.#onKeysChanged()
    return { ...rotated, key }
  }

  /** Revokes the key; what is revoked already stays so. Throws `api_key_not_found`, `key_protected`. */
  async delete(scope: OrganizationScope, owner: string, identifier: string): Promise<SuccessResponse> {
    await inTransaction(this.#db, async (trx) => {
      await lockUsers(trx, scope)
      const user = await getUser(trx, scope, owner)
      const row = changeable(await store.getKey(trx, scope, user.user_id, identifier))
      if (row.status === 'revoked') return
      const before = await this.#present(trx, scope, row)
      await store.updateKey(trx, row.key_id, revoked(scope))
      await audit(trx, scope, 'api_key_revoked', before, { ...before, status: 'revoked' })
    })
    this.#onKeysChanged()
    return { message: 'The API key was revoked.', success: true }
  }

  async #present(trx: Trx, scope: OrganizationScope, row: store.KeyRow): Promise<KeyModel> {
    return this.#model(row, (await getOrganization(trx, scope)).internal_id)
  }

  /** A key as clients see it; one that has expired says so before anybody has written it down. */
  #model(row: store.KeyRow, internal_id: string): KeyModel {
    const {
      permissions,
      scopes,
      allowed_origins,
      user_id,
      status,
      replaced_by: _by,
      updated_at: _at,
      ...rest
    } = row
    const isOver =
      status === 'active' && row.expires_at !== null && row.expires_at <= toTimestamp(this.#clock.now())
    return omitNulls({
      ...rest,
      user_id: user_id ?? '',
      key_type: 'standard' as const,
      internal_id,
      permissions: JSON.parse(permissions) as Permission[],
      scopes: (JSON.parse(scopes) as Record<string, unknown>[]).map(
        omitNulls,
      ) as ResourceScope[] as KeyModel['scopes'],
      allowed_origins: allowed_origins === null ? null : (JSON.parse(allowed_origins) as string[]),
      status: isOver ? 'expired' : (status as KeyModel['status']),
    })
  }

  async #named<T>(name: string, write: (trx: Trx) => Promise<T>): Promise<T> {
    try {
      return await inTransaction(this.#db, write)
    } catch (error) {
      if (isUniqueViolation(error)) throw new KuraError('api_key_name_taken', { name }, { cause: error })
      throw error
    }
  }
}

/** What every new key has; only the hash and the beginning of the secret are kept. */
const keyRow = (key: string, name: string) => ({
  key_id: newId.key(),
  key_hash: sha256(key),
  key_prefix: `${key.slice(0, 10)}...`,
  name,
  status: 'active',
  last_used_at: null,
  revoked_at: null,
  revoked_by: null,
  replaced_by: null,
})

const revoked = ({ actor }: OrganizationScope) => {
  const now = timestamp()
  return { status: 'revoked', revoked_at: now, revoked_by: actor?.userId ?? null, updated_at: now }
}

/** The key of the server follows KURA_ROOT_KEY and nothing else. */
function changeable(row: store.KeyRow): store.KeyRow {
  if (row.name === ROOT_KEY_NAME) throw new KuraError('key_protected')
  return row
}

function sooner(expires_at: string | null, at_ms: number): string {
  const at = toTimestamp(at_ms)
  return expires_at !== null && expires_at < at ? expires_at : at
}

const actionOf = ({ scopes, permissions }: UpdateKeyBody): string =>
  scopes !== undefined ? 'api_key_scope_updated' : permissions ? 'permission_updated' : 'api_key_updated'

async function audit(
  trx: Trx,
  scope: OrganizationScope,
  action: string,
  before: KeyModel | null,
  after: KeyModel,
): Promise<void> {
  await recordAudit(trx, scope, {
    action,
    resource_type: 'api_key',
    resource_id: after.key_id,
    changes: changesOf(before, after, AUDITED),
  })
}

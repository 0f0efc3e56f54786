import { KuraError, valueError } from '../../../core/errors.ts'
import { newId } from '../../../core/ids.ts'
import { omitNulls } from '../../../core/json.ts'
import type { PageRequest } from '../../../core/pagination.ts'
import type { OrganizationScope } from '../../../core/scope.ts'
import { timestamp } from '../../../core/time.ts'
import { recordAudit } from '../../../platform/audit/audit-log.ts'
import { changesOf } from '../../../platform/audit/changes.ts'
import { type Db, inSnapshot, inTransaction, isUniqueViolation, type Trx } from '../../../platform/db/db.ts'
import { revokeKeysOf } from '../api-keys/store.ts'
import { ROOT_EMAIL } from '../bootstrap.ts'
import { checkMetadata } from '../check-metadata.ts'
import type {
  CreateUserBody,
  ListUsersQuery,
  ListUsersResponse,
  SuccessResponse,
  UpdateUserBody,
  UserModel,
} from './schemas.ts'
import * as store from './store.ts'

const AUDITED = ['email', 'user_name', 'avatar_url', 'role', 'status', 'metadata'] as const

type Options = { db: Db; onKeysChanged: () => void }

/** The users of an organization; what a user may do caps what the user's keys may. */
export class UserService {
  readonly #db: Db
  readonly #onKeysChanged: () => void

  constructor({ db, onKeysChanged }: Options) {
    this.#db = db
    this.#onKeysChanged = onKeysChanged
  }

  /** Throws `user_email_taken`, 422. There are no invitations: the user is active at once. */
  async create(scope: OrganizationScope, body: CreateUserBody): Promise<UserModel> {
    const email = checkedEmail(body.email)
    checkMetadata(body.metadata)
    const now = timestamp()
    const row: store.UserRow = {
      user_id: newId.user(),
      organization_id: scope.organizationId,
      email,
      user_name: body.user_name,
      avatar_url: body.avatar_url ?? null,
      role: body.role,
      status: 'active',
      metadata: JSON.stringify(body.metadata ?? {}),
      created_at: now,
      updated_at: now,
    }
    try {
      await inTransaction(this.#db, async (trx) => {
        await store.insertUser(trx, row)
        await this.#audit(trx, scope, 'user_created', null, row)
      })
    } catch (error) {
      if (isUniqueViolation(error)) throw new KuraError('user_email_taken', { email }, { cause: error })
      throw error
    }
    return present(row)
  }

  /** By email or id. Throws `user_not_found`. */
  async get(scope: OrganizationScope, identifier: string): Promise<UserModel> {
    return present(await store.getUser(this.#db, scope, identifier))
  }

  async list(scope: OrganizationScope, query: ListUsersQuery, page: PageRequest): Promise<ListUsersResponse> {
    const { limit, offset } = page
    const { rows, total } = await inSnapshot(this.#db, (trx) =>
      store.listUsers(trx, scope, { ...query, skip: offset, limit }),
    )
    return { results: rows.map(present), total, skip: offset, limit }
  }

  /** Throws `last_admin`, `key_protected`, `empty_update`. Null clears `avatar_url` and `metadata`. */
  async update(scope: OrganizationScope, identifier: string, body: UpdateUserBody): Promise<UserModel> {
    const { user_name, avatar_url, role, status, metadata } = body
    const isEmpty = !user_name && avatar_url === undefined && !role && !status && metadata === undefined
    if (isEmpty) throw new KuraError('empty_update')
    checkMetadata(metadata)
    const changed = await inTransaction(this.#db, async (trx) => {
      await store.lockUsers(trx, scope)
      const before = await store.getUser(trx, scope, identifier)
      if ((role && role !== 'admin') || (status && status !== 'active')) await keepAdmin(trx, scope, before)
      const after: store.UserRow = {
        ...before,
        ...(user_name && { user_name }),
        ...(avatar_url !== undefined && { avatar_url }),
        ...(role && { role }),
        ...(status && { status }),
        ...(metadata !== undefined && { metadata: JSON.stringify(metadata ?? {}) }),
        updated_at: timestamp(),
      }
      await store.updateUser(trx, before.user_id, after)
      const action = after.role === before.role ? 'user_updated' : 'permission_updated'
      await this.#audit(trx, scope, action, before, after)
      return after
    })
    this.#onKeysChanged()
    return present(changed)
  }

  /** Removes the user and revokes the user's keys. Throws `last_admin`, `key_protected`. */
  async delete(scope: OrganizationScope, identifier: string): Promise<SuccessResponse> {
    await inTransaction(this.#db, async (trx) => {
      await store.lockUsers(trx, scope)
      const user = await store.getUser(trx, scope, identifier)
      await keepAdmin(trx, scope, user)
      await revokeKeysOf(trx, scope, user.user_id)
      await trx.deleteFrom('users').where('user_id', '=', user.user_id).execute()
      await this.#audit(trx, scope, 'user_deleted', user, null)
    })
    this.#onKeysChanged()
    return { message: 'The user was deleted and the keys of the user were revoked.', success: true }
  }

  async #audit(
    trx: Trx,
    scope: OrganizationScope,
    action: string,
    before: store.UserRow | null,
    after: store.UserRow | null,
  ): Promise<void> {
    const parsed = (row: store.UserRow | null) => row && { ...row, metadata: JSON.parse(row.metadata) }
    await recordAudit(trx, scope, {
      action,
      resource_type: 'user',
      resource_id: (after ?? before)!.user_id,
      changes: changesOf(parsed(before), parsed(after), AUDITED),
    })
  }
}

/** Somebody must always be able to let others in, and the key of the server must keep working. */
async function keepAdmin(trx: Trx, scope: OrganizationScope, user: store.UserRow): Promise<void> {
  const isActiveAdmin = user.role === 'admin' && user.status === 'active'
  if (isActiveAdmin && (await store.countActiveAdmins(trx, scope)) === 1) throw new KuraError('last_admin')
  if (user.email === ROOT_EMAIL) throw new KuraError('key_protected')
}

/** Addresses are compared in lower case. What reaches a mailbox only its server knows, so little is asked of them. */
function checkedEmail(value: string): string {
  const email = value.trim().toLowerCase()
  // Paths hold them, so the characters that a path gives a meaning are left out.
  if (!/^[^\s@/\\?#%]+@[^\s@/\\?#%]+$/.test(email))
    throw valueError(['body', 'email'], 'value is not a valid email address')
  return email
}

export function present(row: store.UserRow): UserModel {
  return omitNulls({
    user_id: row.user_id,
    email: row.email,
    user_name: row.user_name,
    avatar_url: row.avatar_url,
    role: row.role as UserModel['role'],
    status: row.status as UserModel['status'],
    metadata: JSON.parse(row.metadata) as Record<string, unknown>,
    organization_id: row.organization_id,
    created_at: row.created_at,
    updated_at: row.updated_at,
  })
}

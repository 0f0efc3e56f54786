import { KuraError, valueError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { listInMemory } from '../../core/memory-list.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { storedStatus } from '../../core/task-status.ts'
import { timestamp } from '../../core/time.ts'
import {
  keepMasked,
  openConfig,
  openConnection,
  type StoredConfig,
  sealConfig,
} from '../../engine/sync/connection-secrets.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../platform/db/db.ts'
import { mimeOfFilename } from '../../platform/media/mime.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import type { SourceConfig, SourceContext, SourceProvider } from '../../platform/sources/source-provider.ts'
import { checkConfig, requireProvider, testSource, withSource } from './check.ts'
import { presentConnection } from './present.ts'
import type {
  CreateConnectionBody,
  ListConnectionsBody,
  ListConnectionsResponse,
  StorageConnection,
  TestConnectionResponse,
  UpdateConnectionBody,
} from './schemas.ts'
import * as store from './store.ts'

export type ConnectionServiceOptions = {
  db: Db
  secrets: SecretBox
  sources: SourceContext
  /** Suspends the syncs of a connection that is being archived; given by the composition root. */
  suspendSyncs: (trx: Trx, scope: OrganizationScope, connection_id: string) => Promise<void>
}

/** Credentials and addresses of sources, for the whole organization. */
export class ConnectionService {
  readonly #db: Db
  readonly #secrets: SecretBox
  readonly #sources: SourceContext
  readonly #suspendSyncs: ConnectionServiceOptions['suspendSyncs']

  constructor({ db, secrets, sources, suspendSyncs }: ConnectionServiceOptions) {
    this.#db = db
    this.#secrets = secrets
    this.#sources = sources
    this.#suspendSyncs = suspendSyncs
  }

  /** Throws `provider_not_available`, `connection_test_failed`, `connection_name_taken`. */
  async create(scope: OrganizationScope, body: CreateConnectionBody): Promise<StorageConnection> {
    const provider = requireProvider(body.provider_type)
    const config = checkConfig(provider, body.provider_config)
    if (body.test_before_save) await this.#requireWorking(provider, config)
    const now = timestamp()
    const identity = { organization_id: scope.organizationId, connection_id: newId.connection() }
    const name = nameOf(body.name)
    const row: store.ConnectionRow = {
      ...identity,
      internal_id: newId.internal(),
      name,
      taken_name: name,
      provider_type: provider.provider_type,
      ...sealConfig(this.#secrets, identity, provider, config),
      description: body.description ?? null,
      metadata: JSON.stringify(body.metadata ?? {}),
      status: 'ACTIVE',
      last_used_at: null,
      last_error: null,
      consecutive_failures: 0,
      created_by_user_id: scope.actor?.userId ?? scope.actor?.keyId ?? 'system',
      created_at: now,
      updated_at: now,
    }
    await named(name, () =>
      inTransaction(this.#db, async (trx) => {
        await store.insertConnection(trx, row)
        await audit(trx, scope, row, 'storage_connection_created', {
          name: { new: name },
          provider_type: { new: row.provider_type },
        })
      }),
    )
    return presentConnection(row)
  }

  async get(scope: OrganizationScope, identifier: string): Promise<StorageConnection> {
    return presentConnection(await store.findConnection(this.#db, scope, identifier))
  }

  /** Archived connections are listed only when their status is asked for. */
  async list(
    scope: OrganizationScope,
    { provider_type, status, is_active, ...query }: ListConnectionsBody,
    page: PageRequest,
  ): Promise<ListConnectionsResponse> {
    const wanted = status && storedStatus(status)
    const asked = (await store.listConnections(this.#db, scope))
      .filter((one) => (wanted ? one.status === wanted : one.status !== 'ARCHIVED'))
      .filter((one) => !provider_type || one.provider_type === provider_type)
      .filter((one) => typeof is_active !== 'boolean' || (one.status === 'ACTIVE') === is_active)
    const { results, matches, pagination } = listInMemory(asked.map(presentConnection), {
      query,
      page,
      path: '/v1/organizations/connections/list',
      id: 'connection_id',
      texts: ({ connection_id, name, description }) => [connection_id, name, description],
    })
    return { results, pagination, total: matches.length }
  }

  /** `provider_config` and `metadata` are replaced whole; masked secrets stay. A new configuration is tested. */
  async update(
    scope: OrganizationScope,
    identifier: string,
    body: UpdateConnectionBody,
  ): Promise<StorageConnection> {
    if (Object.values(body).every((value) => value === undefined)) throw new KuraError('empty_update')
    const before = await store.findConnection(this.#db, scope, identifier)
    const config = await this.#newConfig(before, body.provider_config)
    const name = body.name ? nameOf(body.name) : undefined
    return named(name ?? '', () =>
      inTransaction(this.#db, async (trx) => {
        const row = await store.findConnection(trx, scope, before.connection_id, { lock: true })
        if (row.status === 'ARCHIVED') throw new KuraError('connection_archived')
        const status = statusOf(body)
        const change: Partial<store.ConnectionRow> = {
          updated_at: timestamp(),
          ...(name !== undefined && { name, taken_name: name }),
          ...(body.description !== undefined && { description: body.description }),
          ...(body.metadata && { metadata: JSON.stringify(body.metadata) }),
          ...config,
          ...(status && { status }),
          // Whoever activates a failed connection starts to count anew.
          ...(status === 'ACTIVE' && { consecutive_failures: 0, last_error: null }),
        }
        await store.updateConnection(trx, row, change)
        const after = { ...row, ...change }
        await audit(trx, scope, after, 'storage_connection_updated', changesOf(row, after))
        return presentConnection(after)
      }),
    )
  }

  /** Archives it for good and suspends its syncs; a second call says the same. */
  async archive(scope: OrganizationScope, identifier: string) {
    return inTransaction(this.#db, async (trx) => {
      const row = await store.findConnection(trx, scope, identifier, { lock: true })
      const { connection_id } = row
      if (row.status !== 'ARCHIVED') {
        const change = { status: 'ARCHIVED', taken_name: null, updated_at: timestamp() }
        await store.updateConnection(trx, row, change)
        await this.#suspendSyncs(trx, scope, connection_id)
        await audit(trx, scope, row, 'storage_connection_deleted', {
          status: { old: row.status, new: 'ARCHIVED' },
        })
      }
      return { message: 'Connection archived', connection_id, status: 'ARCHIVED' }
    })
  }

  /** Success revives a FAILED connection; a failure is an answer, not an error. */
  async test(scope: OrganizationScope, identifier: string): Promise<TestConnectionResponse> {
    const row = await store.findConnection(this.#db, scope, identifier)
    if (row.status === 'ARCHIVED') throw new KuraError('connection_archived')
    const error = await testSource(() => this.#open(row))
    const after = await inTransaction(this.#db, async (trx) => {
      const used = await store.recordUse(trx, scope, row.connection_id, error?.message ?? null)
      const action = error ? 'storage_connection_failed' : 'storage_connection_tested'
      await audit(
        trx,
        scope,
        row,
        action,
        { status: { old: row.status, new: used.status } },
        error ? 'failure' : 'success',
      )
      return used
    })
    const details = {
      provider_type: row.provider_type,
      status: after.status,
      ...(error && { code: error.code }),
    }
    return { success: error === null, message: error?.message ?? 'The connection works.', details }
  }

  async folders(scope: OrganizationScope, identifier: string, path: string) {
    const { folders } = await this.#browse(scope, identifier, path, BROWSED_FOLDERS_MAX)
    const results = folders.map((folder) => ({ ...folder, mime_type: FOLDER_MIME_TYPE }))
    return { results, parent_path: path }
  }

  async files(
    scope: OrganizationScope,
    identifier: string,
    { path, max_results }: { path: string; max_results: number },
  ) {
    const { files } = await this.#browse(scope, identifier, path, max_results)
    const results = files.map(({ source_id, name, path: place, mime_type, size_bytes, modified_at }) => ({
      id: source_id,
      name,
      path: place,
      mime_type: mime_type ?? mimeOfFilename(name),
      size_bytes,
      modified_at,
    }))
    return { results, parent_path: path, total: results.length }
  }

  async #browse(scope: OrganizationScope, identifier: string, path: string, max_results: number) {
    const row = await store.findConnection(this.#db, scope, identifier)
    if (row.status !== 'ACTIVE') throw new KuraError('connection_inactive', { status: row.status })
    return withSource(
      () => this.#open(row),
      (source, signal) => {
        if (!source.browse)
          throw new KuraError('connection_not_browsable', { provider_type: row.provider_type })
        return source.browse(path, { signal, max_results })
      },
    )
  }

  #open(row: store.ConnectionRow) {
    return openConnection({ secrets: this.#secrets, sources: this.#sources }, row)
  }

  async #newConfig(
    row: store.ConnectionRow,
    sent: SourceConfig | null | undefined,
  ): Promise<StoredConfig | undefined> {
    if (!sent) return undefined
    const provider = requireProvider(row.provider_type)
    const config = checkConfig(provider, keepMasked(sent, openConfig(this.#secrets, row), provider))
    await this.#requireWorking(provider, config)
    return sealConfig(this.#secrets, row, provider, config)
  }

  async #requireWorking(provider: SourceProvider, config: SourceConfig): Promise<void> {
    const error = await testSource(() => provider.open(config, this.#sources))
    if (error) throw new KuraError('connection_test_failed', { reason: error.message }, { cause: error })
  }
}

const BROWSED_FOLDERS_MAX = 1000
const FOLDER_MIME_TYPE = 'application/vnd.google-apps.folder'

function nameOf(name: string): string {
  const trimmed = name.trim()
  if (trimmed === '') throw valueError(['body', 'name'], 'A name needs at least one visible character')
  return trimmed
}

/** Users set ACTIVE and SUSPENDED; the rest are outcomes. `status` beats `is_active`. */
function statusOf({ status, is_active }: UpdateConnectionBody): string | undefined {
  if (status && status !== 'ACTIVE' && status !== 'SUSPENDED')
    throw valueError(['body', 'status'], "Input should be 'ACTIVE' or 'SUSPENDED'")
  if (status) return status
  return typeof is_active === 'boolean' ? (is_active ? 'ACTIVE' : 'SUSPENDED') : undefined
}

async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUniqueViolation(error)) throw new KuraError('connection_name_taken', { name }, { cause: error })
    throw error
  }
}

const AUDITED = ['name', 'description', 'metadata', 'status', 'config'] as const

/** `config` holds masks where secrets are. */
function changesOf(before: store.ConnectionRow, after: store.ConnectionRow) {
  const changed = AUDITED.filter((member) => before[member] !== after[member])
  return Object.fromEntries(changed.map((member) => [member, { old: before[member], new: after[member] }]))
}

const audit = (
  trx: Trx,
  scope: OrganizationScope,
  { connection_id }: store.ConnectionRow,
  action: string,
  changes: Record<string, { old?: unknown; new?: unknown }>,
  status: 'success' | 'failure' = 'success',
) =>
  recordAudit(trx, scope, {
    action,
    resource_type: 'storage_connection',
    resource_id: connection_id,
    changes,
    status,
  })

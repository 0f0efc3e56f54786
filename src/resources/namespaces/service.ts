import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import { checkName } from '../../core/names.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { OrganizationScope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { ensurePayloadIndexes } from '../../engine/documents/payload-indexes.ts'
import { type Db, inTransaction, isUniqueViolation, type Trx } from '../../platform/db/db.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { auditNamespace } from './audit.ts'
import { startClone } from './clone/start.ts'
import { DELETING, deleteNamespace, namespaceNotFound } from './delete.ts'
import {
  appendExtractors,
  findUnifiedExtractor,
  knownExtractors,
  type ListedExtractor,
  unifiedExtractor,
} from './extractors.ts'
import { listNamespaces } from './list.ts'
import { userIndexes } from './payload-indexes.ts'
import { type Catalogue, presentNamespace } from './present.ts'
import type {
  CloneNamespaceBody,
  CloneNamespaceResponse,
  CreateNamespaceBody,
  DeleteNamespaceResponse,
  ListNamespacesBody,
  ListNamespacesResponse,
  NamespaceInfrastructure,
  NamespaceModel,
  PatchNamespaceBody,
  PayloadIndex,
  UnifiedExtractor,
  UnifiedExtractorList,
  UpdateNamespaceBody,
} from './schemas.ts'
import * as store from './store.ts'

/** Path segments that stand where a namespace identifier may: such a namespace could not be reached. */
const RESERVED_NAMES = ['list', 'migrations']

export class NamespaceService {
  readonly #db: Db
  readonly #queue: JobQueue
  readonly #catalogue: Catalogue

  constructor({ db, queue, ...catalogue }: { db: Db; queue: JobQueue } & Catalogue) {
    this.#db = db
    this.#queue = queue
    this.#catalogue = catalogue
  }

  /** Throws `namespace_name_taken`, `reserved_name`, `registry_extractor_not_found`, 422. */
  async create(scope: OrganizationScope, body: CreateNamespaceBody): Promise<NamespaceModel> {
    const namespace_name = checkedName(body.namespace_name)
    const now = timestamp()
    const row: store.NamespaceRow = {
      namespace_id: newId.namespace(),
      organization_id: scope.organizationId,
      namespace_name,
      description: body.description ?? null,
      namespace_type: body.namespace_type,
      feature_extractors: JSON.stringify(
        knownExtractors(this.#catalogue.extractors, body.feature_extractors),
      ),
      payload_indexes: JSON.stringify(userIndexes(body.payload_indexes ?? [])),
      infrastructure: keptInfrastructure(body.infrastructure),
      auto_create_indexes: Number(body.auto_create_indexes),
      status: 'ACTIVE',
      delete_task_id: null,
      created_at: now,
      updated_at: now,
    }
    await namedUniquely(namespace_name, () =>
      inTransaction(this.#db, async (trx) => {
        await store.insertNamespace(trx, row)
        await ensureIndexes(trx, row.payload_indexes)
        await auditNamespace(trx, scope, 'namespace_created', null, row)
      }),
    )
    return this.get(scope, row.namespace_id)
  }

  /** By id or name. Throws `namespace_not_found`. */
  async get(scope: OrganizationScope, identifier: string): Promise<NamespaceModel> {
    const row = await this.#find(scope, identifier)
    const counts = await store.countContents(this.#db, scope, row.namespace_id)
    return presentNamespace(row, counts(row.namespace_id), this.#catalogue)
  }

  list(
    scope: OrganizationScope,
    body: ListNamespacesBody,
    page: PageRequest,
  ): Promise<ListNamespacesResponse> {
    return listNamespaces(this.#db, scope, this.#catalogue, body, page)
  }

  /** Renames and replaces the user's payload indexes; what is absent stays. */
  replace(scope: OrganizationScope, identifier: string, body: UpdateNamespaceBody): Promise<NamespaceModel> {
    return this.#change(scope, identifier, body)
  }

  /** As `replace`, and appends extractors; null clears `description` and `infrastructure`. */
  update(scope: OrganizationScope, identifier: string, patch: PatchNamespaceBody): Promise<NamespaceModel> {
    const clearable = ['description', 'infrastructure']
    const isEmpty = Object.entries(patch).every(
      ([key, value]) => value === undefined || (value === null && !clearable.includes(key)),
    )
    if (isEmpty) throw new KuraError('empty_update')
    return this.#change(scope, identifier, patch)
  }

  /**
   * Starts a copy of the namespace under a new name. Throws `namespace_name_taken`, `reserved_name`,
   * `scope_denied` for the namespace of another organization.
   */
  async clone(
    scope: OrganizationScope,
    identifier: string,
    body: CloneNamespaceBody,
  ): Promise<CloneNamespaceResponse> {
    const { source_organization_id } = body
    if (source_organization_id && source_organization_id !== scope.organizationId)
      throw new KuraError('scope_denied')
    const namespace_name = checkedName(body.namespace_name)
    const { namespace_id, source_namespace_id, task_id } = await namedUniquely(namespace_name, () =>
      startClone({ db: this.#db, queue: this.#queue }, scope, identifier, { ...body, namespace_name }),
    )
    this.#queue.wake()
    return {
      namespace: await this.get(scope, namespace_id),
      source_namespace_id,
      status: 'cloning',
      task_id,
    }
  }

  /** Starts the deletion, or tells of the one under way. */
  async delete(scope: OrganizationScope, identifier: string): Promise<DeleteNamespaceResponse> {
    const answer = await deleteNamespace({ db: this.#db, queue: this.#queue }, scope, identifier)
    this.#queue.wake()
    return answer
  }

  /** What the namespace can use, whether it is registered there or not. */
  async listExtractors(
    scope: OrganizationScope,
    identifier: string,
    source: 'builtin' | 'custom' | 'all',
  ): Promise<UnifiedExtractorList> {
    const { namespace_id } = await this.#find(scope, identifier)
    const builtin = this.#catalogue.extractors.all
    const shown = source === 'custom' ? [] : builtin
    return {
      success: true,
      extractors: shown.map((extractor) => unifiedExtractor(extractor, this.#catalogue.models)),
      total: shown.length,
      namespace_id,
      builtin_count: builtin.length,
      custom_count: 0,
    }
  }

  async getExtractor(scope: OrganizationScope, identifier: string, id: string): Promise<UnifiedExtractor> {
    await this.#find(scope, identifier)
    return findUnifiedExtractor(this.#catalogue.extractors, this.#catalogue.models, id)
  }

  async #find(scope: OrganizationScope, identifier: string): Promise<store.NamespaceRow> {
    const row = await store.findNamespace(this.#db, scope, identifier)
    if (!row) throw namespaceNotFound(identifier)
    return row
  }

  async #change(
    scope: OrganizationScope,
    identifier: string,
    patch: PatchNamespaceBody,
  ): Promise<NamespaceModel> {
    const { namespace_name, payload_indexes, description, infrastructure, auto_create_indexes } = patch
    const name = typeof namespace_name === 'string' ? checkedName(namespace_name) : undefined
    const { namespace_id } = await this.#find(scope, identifier)
    await namedUniquely(name ?? '', () =>
      inTransaction(this.#db, async (trx) => {
        const row = await store.lockNamespace(trx, scope, namespace_id)
        if (!row) throw namespaceNotFound(identifier)
        if (row.status === DELETING) throw new KuraError('resource_deleting', { resource: 'namespace' })
        if (row.status !== 'ACTIVE') throw new KuraError('namespace_cloning')
        const listed = JSON.parse(row.feature_extractors) as ListedExtractor[]
        const appended = appendExtractors(this.#catalogue.extractors, listed, patch.feature_extractors ?? [])
        const change = {
          ...(name !== undefined && { namespace_name: name }),
          ...(payload_indexes && { payload_indexes: JSON.stringify(userIndexes(payload_indexes)) }),
          ...(description !== undefined && { description }),
          ...(infrastructure !== undefined && { infrastructure: keptInfrastructure(infrastructure) }),
          ...(typeof auto_create_indexes === 'boolean' && {
            auto_create_indexes: Number(auto_create_indexes),
          }),
          feature_extractors: JSON.stringify(appended),
          updated_at: timestamp(),
        }
        await store.updateNamespace(trx, scope, namespace_id, change)
        await auditNamespace(trx, scope, 'namespace_updated', row, { ...row, ...change })
        if (payload_indexes) await ensureIndexes(trx, JSON.stringify(userIndexes(payload_indexes)))
      }),
    )
    return this.get(scope, namespace_id)
  }
}

const ensureIndexes = (trx: Trx, payload_indexes: string) =>
  ensurePayloadIndexes(
    trx,
    (JSON.parse(payload_indexes) as PayloadIndex[]).map((index) => index.field_name),
  )

function checkedName(value: string): string {
  const violations: Violation[] = []
  const name = checkName(value, ['body', 'namespace_name'], violations, RESERVED_NAMES)
  if (name === undefined) throw new ValidationError(violations)
  return name
}

/** A key that nothing connects with is not kept. */
function keptInfrastructure(infrastructure: NamespaceInfrastructure | null | undefined): string | null {
  if (!infrastructure) return null
  const { qdrant_api_key: _key, ...kept } = infrastructure
  return JSON.stringify(kept)
}

async function namedUniquely<T>(namespace_name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (isUniqueViolation(error))
      throw new KuraError('namespace_name_taken', { namespace_name }, { cause: error })
    throw error
  }
}

import { KuraError } from '../../core/errors.ts'
import { newId } from '../../core/ids.ts'
import type { JsonObject } from '../../core/json.ts'
import { omitNulls } from '../../core/json.ts'
import { onlyVisible } from '../../core/key-scopes.ts'
import { listInMemory } from '../../core/memory-list.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { recordAudit } from '../../platform/audit/audit-log.ts'
import { type Db, inTransaction, isUniqueViolation } from '../../platform/db/db.ts'
import type { Models } from '../../platform/models/models.ts'
import { checkDefinition } from './definition.ts'
import type { CreateRetrieverBody, ListRetrieversBody, ListRetrieversResponse, Retriever } from './schemas.ts'
import * as store from './store.ts'

/** Static segments of the paths: a retriever of such a name could not be reached. */
const RESERVED = new Set([
  'stages',
  'list',
  'execute',
  'executions',
  'published',
  'publish',
  'benchmarks',
  'interactions',
  'evaluations',
])

export class RetrieverService {
  readonly #db: Db
  readonly #models: Models

  constructor({ db, models }: { db: Db; models: Models }) {
    this.#db = db
    this.#models = models
  }

  async create(scope: Scope, body: CreateRetrieverBody, created_by: string) {
    const { retriever_name } = body
    if (RESERVED.has(retriever_name)) throw new KuraError('reserved_name', { name: retriever_name })
    const checked = await checkDefinition(this.#db, scope, this.#models, body)
    const now = timestamp()
    const record: store.RetrieverRecord = {
      retriever_id: newId.retriever(),
      retriever_name,
      description: body.description ?? null,
      version: 1,
      created_at: now,
      updated_at: now,
      created_by,
      collection_identifiers: checked.collection_identifiers,
      collection_ids: checked.collections.map((one) => one.collection_id),
      stages: checked.stages,
      input_schema: checked.input_schema,
      budget_limits: body.budget_limits ?? {},
      cache_config: (body.cache_config as JsonObject | null | undefined) ?? null,
      display_config: (body.display_config as JsonObject | null | undefined) ?? null,
      feature_dependencies: checked.feature_dependencies,
      tags: body.tags ?? [],
      visibility: body.visibility,
    }
    try {
      await inTransaction(this.#db, async (trx) => {
        await store.insertRetriever(trx, scope, record)
        await recordAudit(trx, scope, {
          action: 'retriever_created',
          resource_type: 'retriever',
          resource_id: record.retriever_id,
          changes: {
            retriever_name: { new: retriever_name },
            collection_ids: { new: record.collection_ids },
          },
        })
      })
    } catch (cause) {
      if (isUniqueViolation(cause)) throw new KuraError('retriever_name_taken', { retriever_name }, { cause })
      throw cause
    }
    return { retriever: present(record), retriever_id: record.retriever_id, retriever_name }
  }

  async get(scope: Scope, identifier: string): Promise<Retriever> {
    return present(await this.find(scope, identifier))
  }

  /** Throws `retriever_not_found`. */
  async find(scope: Scope, identifier: string): Promise<store.RetrieverRecord> {
    const record = await store.findRetriever(this.#db, scope, identifier)
    if (!record) throw new KuraError('retriever_not_found', { resource: 'retriever', id: identifier })
    return record
  }

  /** A namespace has tens of retrievers, so search, filter and sort run over all of them in memory. */
  async list(scope: Scope, body: ListRetrieversBody, page: PageRequest): Promise<ListRetrieversResponse> {
    const { filters, search, case_sensitive } = body
    const { results, matches, pagination } = listInMemory(
      (await store.listRetrievers(this.#db, scope)).map(present),
      {
        query: onlyVisible({ filters, search, case_sensitive, sort: body.sorts ?? body.sort }, scope),
        page,
        path: '/v1/retrievers/list',
        id: 'retriever_id',
        texts: (one) => [one.retriever_id, one.retriever_name, one.description, ...one.tags],
      },
    )
    return { results, total: matches.length, total_count: matches.length, pagination }
  }

  async delete(scope: Scope, identifier: string) {
    const { retriever_id, retriever_name } = await this.find(scope, identifier)
    await inTransaction(this.#db, async (trx) => {
      await store.deleteRetriever(trx, scope, retriever_id)
      await recordAudit(trx, scope, {
        action: 'retriever_deleted',
        resource_type: 'retriever',
        resource_id: retriever_id,
        changes: { retriever_name: { old: retriever_name } },
      })
    })
    return { message: `Retriever ${retriever_id} was deleted.`, success: true }
  }
}

export function present(record: store.RetrieverRecord): Retriever {
  const { description, cache_config, display_config, created_by, ...always } = record
  return {
    ...always,
    ...omitNulls({ description, cache_config, display_config, created_by }),
    is_published: false,
  }
}

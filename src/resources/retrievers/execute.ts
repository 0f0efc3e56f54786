import { KuraError } from '../../core/errors.ts'
import type { FilterNode } from '../../core/filters/ast.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import { newId } from '../../core/ids.ts'
import { isObject } from '../../core/json.ts'
import { type InputSchema, resolveInputs } from '../../core/retrievers/input-schema.ts'
import type { StageDefinition } from '../../core/retrievers/stage-definition.ts'
import type { Scope } from '../../core/scope.ts'
import { PAGE_DEFAULT, readResultPage, slicePage } from '../../engine/retrieve/page.ts'
import { type PipelineResult, runPipeline } from '../../engine/retrieve/run-pipeline.ts'
import { readScopeCollections, type ScopeCollection } from '../../engine/retrieve/scope-collections.ts'
import type { RetrieveDeps } from '../../engine/retrieve/tools.ts'
import { checkDefinition } from './definition.ts'
import { type PresentOptions, presentResults, type ResultDeps } from './results.ts'
import type { AdhocExecuteBody, ExecuteBody, ExecuteQuery, ExecuteResponse } from './schemas.ts'
import type { RetrieverRecord } from './store.ts'

/** Official clients give up at half of this (contract, failure and budget). */
const TIME_LIMIT_DEFAULT_MS = 60_000
/** An ad hoc run without pagination answers its whole list, up to this. */
const ADHOC_RESULTS_MAX = 1000

/** What a run needs beyond the request: a saved retriever or the definition of an ad hoc one. */
type Runnable = {
  retriever_id: string | null
  stages: readonly StageDefinition[]
  collections: readonly ScopeCollection[]
  input_schema: InputSchema
  max_time_ms: number | null | undefined
  limit_default: number
}

export class ExecuteService {
  readonly #deps: RetrieveDeps & ResultDeps

  constructor(deps: RetrieveDeps & ResultDeps) {
    this.#deps = deps
  }

  async execute(
    scope: Scope,
    retriever: RetrieverRecord,
    body: ExecuteBody,
    query: ExecuteQuery,
    base_url: string,
  ): Promise<ExecuteResponse> {
    const collections = await readScopeCollections(this.#deps.db, scope, retriever.collection_ids)
    return this.#run(scope, body, query, base_url, {
      retriever_id: retriever.retriever_id,
      stages: retriever.stages,
      collections,
      input_schema: retriever.input_schema,
      max_time_ms: retriever.budget_limits.max_time_ms,
      limit_default: PAGE_DEFAULT,
    })
  }

  async executeAdhoc(
    scope: Scope,
    body: AdhocExecuteBody,
    query: ExecuteQuery,
    base_url: string,
  ): Promise<ExecuteResponse> {
    const checked = await checkDefinition(this.#deps.db, scope, this.#deps.models, body)
    // No collection named anywhere: all of the namespace that have the feature (contract, ad hoc).
    const collections =
      checked.collections.length > 0
        ? checked.collections
        : await readScopeCollections(this.#deps.db, scope, null)
    return this.#run(scope, body, query, base_url, {
      retriever_id: null,
      stages: checked.stages,
      collections,
      input_schema: checked.input_schema,
      max_time_ms: body.budget_limits?.max_time_ms,
      limit_default: ADHOC_RESULTS_MAX,
    })
  }

  async #run(
    scope: Scope,
    body: ExecuteBody,
    query: ExecuteQuery,
    base_url: string,
    runnable: Runnable,
  ): Promise<ExecuteResponse> {
    if (body.stream || query.stream) throw new KuraError('not_enabled', { feature: 'Streaming of results' })
    const { inputs, global_filter } = splitFilters(runnable.input_schema, body)
    const resolved = resolveInputs(runnable.input_schema, inputs)
    const hashed = {
      retriever_id: runnable.retriever_id,
      stages: runnable.retriever_id ? null : runnable.stages,
      inputs: resolved,
      filters: body.filters ?? null,
    }
    const page = readResultPage(body.pagination, hashed, runnable.limit_default)
    const execution_id = newId.execution()
    const max_time_ms = runnable.max_time_ms || TIME_LIMIT_DEFAULT_MS
    const result = await runPipeline(this.#deps, {
      ...runnable,
      scope,
      inputs: resolved,
      global_filter,
      execution_id,
      max_time_ms,
    })
    const { rows, pagination } = slicePage(result.candidates, page, hashed)
    const documents = await presentResults(this.#deps, scope, rows, presentOptions(body, query, base_url))
    return response(result, {
      execution_id,
      documents,
      pagination,
      max_time_ms,
      persisted: runnable.retriever_id !== null,
    })
  }
}

/** LangChain sends a filter as an input: an undeclared object `filters` is the global pre-filter (contract, execute). */
function splitFilters(
  schema: InputSchema,
  { inputs, filters }: ExecuteBody,
): { inputs: Record<string, unknown>; global_filter: FilterNode | null } {
  const given = { ...(inputs ?? {}) }
  let global: unknown = filters
  if ((global === undefined || global === null) && !('filters' in schema) && isObject(given.filters)) {
    global = given.filters
    delete given.filters
  }
  const global_filter = parseFilter(global, {
    profile: 'retrieval',
    unknown_operator: 'filter_operator_unknown',
    loc: ['body', 'filters'],
  })
  return { inputs: given, global_filter }
}

function presentOptions(body: ExecuteBody, query: ExecuteQuery, base_url: string): PresentOptions {
  return {
    base_url,
    presigned_urls: query.return_presigned_urls ?? body.return_presigned_urls ?? body.return_urls ?? false,
    vectors: query.return_vectors ?? body.return_vectors ?? false,
    select: body.select ?? null,
  }
}

type Answer = {
  execution_id: string
  documents: ExecuteResponse['documents']
  pagination: Record<string, unknown>
  max_time_ms: number
  persisted: boolean
}

function response(
  result: PipelineResult,
  { execution_id, documents, pagination, max_time_ms, persisted }: Answer,
): ExecuteResponse {
  const total = result.candidates.length
  const took_ms = Math.round(result.total_time_ms * 1000) / 1000
  const { optimizations } = result
  return {
    execution_id,
    status: result.halted ? 'failed' : 'completed',
    documents,
    results: documents,
    total_count: total,
    pagination: pagination as ExecuteResponse['pagination'],
    stage_statistics: { stages: result.stages, total_time_ms: took_ms, credits_used: 0 },
    budget: {
      credits_used: 0,
      time_used_ms: took_ms,
      time_elapsed_ms: took_ms,
      tokens_used: 0,
      limits: { max_time_ms },
    },
    error: result.halted,
    optimization_applied: optimizations.length > 0,
    optimization_summary: optimizations.length > 0 ? { applied: [...new Set(optimizations)] } : null,
    execution_metadata: { retriever_persisted: persisted },
    metadata: { total, took_ms },
    ...(pagination.next_cursor !== undefined &&
      pagination.next_cursor !== null && { next_cursor: pagination.next_cursor }),
  }
}

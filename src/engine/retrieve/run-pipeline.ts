import { KuraError, ValidationError } from '../../core/errors.ts'
import type { FilterNode } from '../../core/filters/ast.ts'
import { allOf } from '../../core/filters/combine.ts'
import { parseFilter } from '../../core/filters/parse.ts'
import type { JsonObject } from '../../core/json.ts'
import type { StageDefinition } from '../../core/retrievers/stage-definition.ts'
import type { Scope } from '../../core/scope.ts'
import { renderFilter, renderParameters } from '../../core/templates/render.ts'
import type { TemplateContext } from '../../core/templates/template.ts'
import { attributeFilterOf, WORKING_SET_MAX } from '../../stages/attribute-filter.ts'
import type { Candidate, StageTools } from '../../stages/stage.ts'
import { renderedParameters } from './check-stages.ts'
import { findStage } from './normalize-stage.ts'
import type { ScopeCollection } from './scope-collections.ts'
import { createStageTools, type RetrieveDeps } from './tools.ts'

export type StageStatistics = {
  input_count: number
  output_count: number
  duration_ms: number
  /** Output over input, 0 for a stage without input. */
  efficiency: number
  cache_hit: boolean
  error: string | null
  metadata: JsonObject
}

export type PipelineRun = {
  scope: Scope
  stages: readonly StageDefinition[]
  collections: readonly ScopeCollection[]
  inputs: Record<string, unknown>
  /** Ands into every search and first filter. */
  global_filter: FilterNode | null
  execution_id: string
  retriever_id: string | null
  max_time_ms: number
}

export type PipelineResult = {
  candidates: Candidate[]
  stages: Record<string, StageStatistics>
  total_time_ms: number
  /** Set when the run was halted by its time budget; candidates are those of the last finished stage. */
  halted: string | null
  optimizations: string[]
}

type Step = { stage: StageDefinition; key: string }

/** Runs the stages in order on one working set; see the contract, "Pipeline". */
export async function runPipeline(deps: RetrieveDeps, run: PipelineRun): Promise<PipelineResult> {
  const start_ms = performance.now()
  const timeout = AbortSignal.timeout(run.max_time_ms)
  const tools = createStageTools({ deps, scope: run.scope, collections: run.collections, signal: timeout })
  const state: State = {
    run,
    tools,
    signal: timeout,
    candidates: null,
    pushed: null,
    statistics: {},
    optimizations: [],
  }
  const steps = named(run.stages)
  let halted: string | null = null
  for (const [i, step] of steps.entries()) {
    if (timeout.aborted) {
      halted = budgetMessage(run.max_time_ms)
      break
    }
    try {
      await runStep(state, step, steps[i + 1])
    } catch (error) {
      if (timeout.aborted) {
        halted = budgetMessage(run.max_time_ms)
        break
      }
      throw located(error, run.execution_id, step, i)
    }
  }
  return {
    candidates: state.candidates ?? [],
    stages: state.statistics,
    total_time_ms: performance.now() - start_ms,
    halted,
    optimizations: state.optimizations,
  }
}

type State = {
  run: PipelineRun
  tools: StageTools
  signal: AbortSignal
  candidates: Candidate[] | null
  /** An attribute_filter right before a search, folded into it. */
  pushed: FilterNode | null
  statistics: Record<string, StageStatistics>
  optimizations: string[]
}

async function runStep(state: State, { stage, key }: Step, next: Step | undefined): Promise<void> {
  const start_ms = performance.now()
  const definition = findStage(stage.config.stage_id)!
  const context = templateContext(state)
  const isFilter = definition.id === 'attribute_filter'
  const rendered = isFilter
    ? renderConditions(stage, context)
    : renderParameters(stage.config.parameters, context)
  const parameters = renderedParameters(stage, rendered)
  const own = isFilter ? attributeFilterOf(parameters) : null
  const before = parseStageFilter(stage.config.pre_filters, context, 'pre_filters')
  const input_count = state.candidates?.length ?? 0
  if (isFilter && canFold(state, next)) {
    // The search applies it inside the index, so that top_k matches come back if they exist.
    state.pushed = allOf([state.pushed, before, own])
    state.optimizations.push('push_down_filters')
    record(state, key, { input_count, output_count: 0, start_ms, metadata: { folded_into: next!.key } })
    return
  }
  const global = state.candidates === null ? state.run.global_filter : null
  const result = await definition.run({
    parameters: parameters as never,
    candidates: await narrowed(state, definition.category === 'filter' ? null : before),
    filter: allOf([global, state.pushed, before, own]),
    inputs: state.run.inputs,
    tools: state.tools,
    signal: state.signal,
  })
  state.pushed = null
  const after = parseStageFilter(stage.config.post_filters, context, 'post_filters')
  state.candidates = await filtered(state, result.candidates, after)
  if (state.candidates.length > WORKING_SET_MAX)
    throw new KuraError('working_set_too_large', { limit: WORKING_SET_MAX })
  record(state, key, {
    input_count,
    output_count: state.candidates.length,
    start_ms,
    metadata: result.metadata ?? {},
    error: result.error ?? null,
  })
}

const canFold = (state: State, next: Step | undefined) =>
  state.candidates === null &&
  next !== undefined &&
  ['feature_search', 'attribute_filter'].includes(next.stage.config.stage_id)

/** Stages that are no filters see their pre_filters applied to the incoming set. */
async function narrowed(state: State, before: FilterNode | null): Promise<Candidate[] | null> {
  return state.candidates && before ? filtered(state, state.candidates, before) : state.candidates
}

async function filtered(
  { tools }: State,
  candidates: Candidate[],
  filter: FilterNode | null,
): Promise<Candidate[]> {
  if (!filter || candidates.length === 0) return candidates
  const kept = new Set(
    await tools.keep(
      candidates.map((one) => one.document_seq),
      filter,
    ),
  )
  return candidates.filter((one) => kept.has(one.document_seq))
}

/** The condition of an attribute_filter renders by the rules of filters: absent inputs take it away. */
function renderConditions(stage: StageDefinition, context: TemplateContext): unknown {
  const { conditions, field, operator, value, ...rest } = stage.config.parameters as Record<string, unknown>
  const others = renderParameters(rest, context) as Record<string, unknown>
  if (conditions !== undefined && conditions !== null)
    return { ...others, conditions: renderFilter(conditions, context) ?? null }
  if (field === undefined || field === null) return others
  const condition = renderFilter({ field, operator: operator ?? 'eq', value: value ?? null }, context)
  return condition === undefined ? others : { ...others, conditions: condition }
}

function parseStageFilter(filter: unknown, context: TemplateContext, name: string): FilterNode | null {
  const rendered = filter === undefined ? undefined : renderFilter(filter, context)
  if (rendered === undefined || rendered === null) return null
  return parseFilter(rendered, {
    profile: 'retrieval',
    unknown_operator: 'filter_operator_unknown',
    loc: [name],
  })
}

function templateContext({ run, statistics }: State): TemplateContext {
  return {
    INPUT: run.inputs,
    CONTEXT: {
      namespace_id: run.scope.namespaceId,
      execution_id: run.execution_id,
      retriever_id: run.retriever_id,
    },
    STAGE: Object.fromEntries(
      Object.entries(statistics).map(([name, { output_count, duration_ms, metadata }]) => [
        name,
        { ...metadata, count: output_count, duration_ms },
      ]),
    ),
  }
}

function record(
  state: State,
  key: string,
  {
    input_count,
    output_count,
    start_ms,
    metadata,
    error = null,
  }: {
    input_count: number
    output_count: number
    start_ms: number
    metadata: JsonObject
    error?: string | null
  },
): void {
  state.statistics[key] = {
    input_count,
    output_count,
    duration_ms: round(performance.now() - start_ms),
    efficiency: input_count === 0 ? 0 : output_count / input_count,
    cache_hit: false,
    error,
    metadata,
  }
}

const round = (ms: number) => Math.round(ms * 1000) / 1000

/** Repeated stage names get `_2`, `_3` in the statistics. */
function named(stages: readonly StageDefinition[]): Step[] {
  const seen = new Map<string, number>()
  return stages.map((stage) => {
    const count = (seen.get(stage.stage_name) ?? 0) + 1
    seen.set(stage.stage_name, count)
    return { stage, key: count === 1 ? stage.stage_name : `${stage.stage_name}_${count}` }
  })
}

const budgetMessage = (max_time_ms: number) =>
  `Budget exceeded: the pipeline took longer than ${max_time_ms} ms.`

/** The error of a stage, saying which one it was. */
function located(error: unknown, execution_id: string, { stage }: Step, stage_index: number): unknown {
  if (!(error instanceof KuraError)) return error
  const details = {
    ...error.details,
    execution_id,
    stage_name: stage.stage_name,
    stage_index,
    stage_id: stage.config.stage_id,
  }
  if (error instanceof ValidationError) return new ValidationError(error.violations, error.code, details)
  return new KuraError(error.code, details, { cause: error.cause, message: error.message })
}

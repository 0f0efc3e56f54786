import { type MappedInput, mapInputs } from '../../core/collections/mapping.ts'
import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import { type Extracted, RowError } from '../../extractors/extractor.ts'
import { toRowError } from '../../extractors/row-errors.ts'
import type { IngestDeps } from './deps.ts'
import { type Draft, type DraftContext, draftsOf } from './drafts.ts'
import { needsDownload, toInputValue } from './inputs.ts'
import type { SourceRow } from './rows.ts'
import { type Call, runCalls } from './run-extractor.ts'

/** What became of one row. */
export type RowResult = {
  row_id: string
  /** Null when the row's source was gone. */
  row: SourceRow | null
  /** The row has none of its mapped inputs: it is skipped, which is no failure. */
  is_missing_input: boolean
  /** Null when the row failed: then its former documents stay. */
  drafts: Draft[] | null
  /** The failure of the row, or what its documents lack. */
  errors: { feature: string | null; error: RowError }[]
}

export type RowContext = Omit<DraftContext, 'now' | 'stage'> & {
  scope: Scope
  signal: AbortSignal
  /** Vectors of upstream documents that are copied, by row and storage name. */
  copiedVectors(row: SourceRow): Record<string, Float32Array>
}

/** A row with what it gives to the extractor. */
export type MappedRow = { row: SourceRow; inputs: MappedInput[] }

export function mapRow({ config, extractor }: RowContext, row: SourceRow): MappedRow {
  return { row, inputs: mapInputs(config, row.record, extractor.inputs) }
}

/** Bytes that rows of one run may hold in memory at once, as far as it can be known before. */
const RUN_BYTES_MAX = 32 * 1024 * 1024
const DOWNLOADS_MAX = 4

/**
 * How many of the next rows to run together: full batches for the model where the extractor takes
 * several rows, one row otherwise, and few when their files are large or elsewhere.
 */
export function nextRun({ extractor }: RowContext, rows: readonly MappedRow[]): MappedRow[] {
  if (!extractor.extractBatch) return rows.slice(0, 1)
  let bytes = 0
  let downloads = 0
  const run: MappedRow[] = []
  for (const mapped of rows) {
    for (const input of mapped.inputs) {
      if (needsDownload(input)) downloads++
      bytes += sizeOf(input)
    }
    if (run.length > 0 && (bytes > RUN_BYTES_MAX || downloads > DOWNLOADS_MAX)) break
    run.push(mapped)
  }
  return run
}

function sizeOf({ value }: MappedInput): number {
  if (value.kind === 'text') return value.text.length
  return value.kind === 'blob' ? (value.blob.details.size_bytes ?? 0) : 0
}

/** Runs the extractor over rows and makes their documents. Throws only when the signal aborts. */
export async function processRows(
  deps: IngestDeps,
  context: RowContext,
  rows: readonly MappedRow[],
): Promise<RowResult[]> {
  let parameters: Parameters
  try {
    parameters = await deps.fillSecrets(context.scope, context.config.feature_extractor.parameters)
  } catch (cause) {
    // What cannot be opened fails the rows that need it; a database that is gone fails the job.
    if (!(cause instanceof KuraError)) throw cause
    const error = new RowError('authentication', cause.message, { cause })
    return rows.map(({ row }) => failedRow(row.row_id, row, error))
  }
  const calls = rows.flatMap(({ inputs }) =>
    inputs.map((mapped) => callOf(deps, context, parameters, mapped)),
  )
  const results = await runCalls(context.extractor, calls, { signal: context.signal, ...deps.limits })
  const done: RowResult[] = []
  let next = 0
  for (const { row, inputs } of rows) {
    const own = results.slice(next, next + inputs.length)
    next += inputs.length
    done.push(await resultOf(deps, context, { row, inputs }, own))
  }
  return done
}

type Parameters = RowContext['config']['feature_extractor']['parameters']

function callOf(deps: IngestDeps, { scope }: RowContext, parameters: Parameters, mapped: MappedInput): Call {
  return {
    input_key: mapped.input_key,
    parameters,
    models: deps.models,
    input: (signal) => toInputValue(deps, scope, mapped, signal),
  }
}

async function resultOf(
  deps: IngestDeps,
  context: RowContext,
  { row, inputs }: MappedRow,
  results: readonly (Extracted[] | RowError)[],
): Promise<RowResult> {
  const base = { row_id: row.row_id, row, is_missing_input: inputs.length === 0 }
  if (base.is_missing_input) return { ...base, drafts: null, errors: [] }
  const failed = results.find((result) => result instanceof RowError)
  if (failed) return { ...base, drafts: null, errors: [{ feature: null, error: failed }] }
  const outputs = inputs.map((mapped, i) => ({ mapped, extracted: results[i] as Extracted[] }))
  const draftContext: DraftContext = {
    ...context,
    now: timestamp(),
    stage: ({ bytes, mime_type }) =>
      deps.files.stage(context.scope, bytes, {
        mime_type,
        filename: null,
        limit_bytes: deps.limits.input_bytes_max,
        signal: context.signal,
      }),
  }
  try {
    const drafts = await draftsOf(draftContext, row, outputs, context.copiedVectors(row))
    return { ...base, drafts, errors: missingFeatures(outputs.flatMap(({ extracted }) => extracted)) }
  } catch (error) {
    context.signal.throwIfAborted()
    return { ...base, drafts: null, errors: [{ feature: null, error: toRowError(error) }] }
  }
}

/** Optional features that failed, each once a row. */
function missingFeatures(extracted: readonly Extracted[]): RowResult['errors'] {
  const byFeature = new Map(extracted.flatMap(({ missing = [] }) => missing.map((one) => [one.feature, one])))
  return [...byFeature.values()]
}

/** A row that could not even start. */
export function failedRow(row_id: string, row: SourceRow | null, error: RowError): RowResult {
  return { row_id, row, is_missing_input: false, drafts: null, errors: [{ feature: null, error }] }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { type Extracted, type Extractor, RowError } from '../../extractors/extractor.ts'
import { toRowError } from '../../extractors/row-errors.ts'

/** Runs of one row in one job before its transient failure counts. */
export const ATTEMPTS_MAX = 3
/** Documents that one row may become. */
export const DOCUMENTS_MAX = 50_000

type Context = Parameters<Extractor['extract']>[0]

/** One call of the extractor; several mapped inputs or blobs of a row are several calls. */
export type Call = Omit<Context, 'signal' | 'input'> & {
  /** Made when the call runs; it may download. */
  input(signal: AbortSignal): Promise<Context['input']>
}

export type RunOptions = { signal: AbortSignal; row_timeout_ms: number; retry_delay_ms: number }

/**
 * What each call gave: documents, or the error that fails its row alone. Transient failures are tried
 * again after all others have run. Throws only when `signal` aborts.
 */
export async function runCalls(
  extractor: Extractor,
  calls: readonly Call[],
  options: RunOptions,
): Promise<(Extracted[] | RowError)[]> {
  const results = await runOnce(extractor, calls, options)
  for (let attempt = 1; attempt < ATTEMPTS_MAX; attempt++) {
    const again = calls.map((_, i) => i).filter((i) => isWorthAnother(results[i]!))
    if (again.length === 0) break
    await sleep(backoff(options.retry_delay_ms, attempt), undefined, { signal: options.signal })
    const repeated = await runOnce(
      extractor,
      again.map((i) => calls[i]!),
      options,
    )
    for (const [n, i] of again.entries()) results[i] = repeated[n]!
  }
  return results
}

const isWorthAnother = (result: Extracted[] | RowError) =>
  result instanceof RowError && result.isTransient && !(result.cause instanceof TimeLimitError)

/** Doubles with every attempt; the random part keeps many workers from coming back at once. */
function backoff(delay_ms: number, attempt: number): number {
  return delay_ms * 2 ** (attempt - 1) * (1 + Math.random() / 4)
}

async function runOnce(
  extractor: Extractor,
  calls: readonly Call[],
  options: RunOptions,
): Promise<(Extracted[] | RowError)[]> {
  const contexts: (Context | RowError)[] = []
  for (const call of calls) contexts.push(await prepare(call, options))
  if (extractor.extractBatch && calls.length > 1) {
    const whole = await runBatch(extractor, contexts, options)
    if (whole) return whole
  }
  const results: (Extracted[] | RowError)[] = []
  for (const context of contexts)
    results.push(context instanceof RowError ? context : await runAlone(extractor, context, options))
  return results
}

async function prepare(call: Call, { signal }: RunOptions): Promise<Context | RowError> {
  signal.throwIfAborted()
  try {
    return { ...call, input: await call.input(signal), signal }
  } catch (error) {
    signal.throwIfAborted()
    return toRowError(error)
  }
}

/** Null when the batch as a whole failed: then each row has to show on its own whether it is to blame. */
async function runBatch(
  extractor: Extractor,
  contexts: readonly (Context | RowError)[],
  { signal, row_timeout_ms }: RunOptions,
): Promise<(Extracted[] | RowError)[] | null> {
  const usable = contexts.filter((context): context is Context => !(context instanceof RowError))
  if (usable.length === 0) return null
  try {
    const found = await withTimeLimit(signal, row_timeout_ms, (limited) =>
      extractor.extractBatch!(usable.map((context) => ({ ...context, signal: limited }))),
    )
    if (found.length !== usable.length) throw new Error('The extractor lost rows of its batch.')
    let next = 0
    return contexts.map((context) => (context instanceof RowError ? context : checked(found[next++]!)))
  } catch {
    signal.throwIfAborted()
    return null
  }
}

async function runAlone(
  extractor: Extractor,
  context: Context,
  { signal, row_timeout_ms }: RunOptions,
): Promise<Extracted[] | RowError> {
  signal.throwIfAborted()
  try {
    return await withTimeLimit(signal, row_timeout_ms, async (limited) => {
      const documents: Extracted[] = []
      for await (const document of extractor.extract({ ...context, signal: limited })) {
        documents.push(document)
        if (documents.length > DOCUMENTS_MAX) throw tooMany()
      }
      return checked(documents)
    })
  } catch (error) {
    signal.throwIfAborted()
    return toRowError(error)
  }
}

function checked(result: Extracted[] | RowError): Extracted[] | RowError {
  if (result instanceof RowError) return result
  if (result.length > DOCUMENTS_MAX) return tooMany()
  for (const { vectors } of result)
    for (const [name, vector] of Object.entries(vectors))
      if (!isFiniteVector(vector))
        return new RowError('runtime', `The vector "${name}" holds a value that is not a finite number.`)
  return result
}

/** NaN and infinities are what differs from itself by more than nothing; a plain sum is ten times faster than asking each. */
function isFiniteVector(vector: Float32Array): boolean {
  let sum = 0
  for (let i = 0; i < vector.length; i++) sum += vector[i]! - vector[i]!
  return sum === 0
}

const tooMany = () =>
  new RowError('validation', `The row gives more than ${DOCUMENTS_MAX} documents.`, {
    recovery_suggestion: 'Choose larger chunks, or split the file.',
  })

class TimeLimitError extends Error {}

/** Ends the wait for work that takes too long, even if it ignores its signal; the supervisor ends what goes on. */
async function withTimeLimit<T>(
  signal: AbortSignal,
  limit_ms: number,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const cause = new TimeLimitError(`over ${limit_ms} ms`)
      const message = `The row took longer than ${Math.round(limit_ms / 1000)} seconds.`
      // Before the abort, which rejects too: the first rejection counts.
      reject(new RowError('resource', message, { cause }))
      controller.abort(cause)
    }, limit_ms)
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true })
  })
  try {
    return await Promise.race([work(controller.signal), late])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

/** Runs `work` over all items, at most `limit` at a time; results in the order of the items. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length)
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index]!, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane))
  return results
}

/**
 * Runs `work` over all items, at most `limit` at a time, until one fails or the signal aborts. Throws
 * that first error when all that was under way has ended; `work` is told to stop by its own signal.
 */
export async function eachConcurrently<T>(
  items: readonly T[],
  { limit, signal }: { limit: number; signal?: AbortSignal | undefined },
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const stop = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  let failure: { error: unknown } | undefined
  await mapConcurrently(items, limit, async (item) => {
    if (failure) return
    try {
      stop.throwIfAborted()
      await work(item, stop)
    } catch (error) {
      // Work that was told to stop may call it by another name.
      failure ??= { error: signal?.aborted ? signal.reason : error }
      failed.abort(error)
    }
  })
  if (failure) throw failure.error
}

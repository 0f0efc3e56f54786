/** A value of one source, or the error that ended it. */
export type FromSource<T> = { source: number } & ({ value: T } | { error: unknown })

/**
 * All values of the first source, then all of the second, and so on; but while one source is read,
 * the first value of each of the next `ahead` sources is in the making. A source that throws ends
 * with its error and the next one follows. Sources that were started are closed at the end, also
 * when the reader stops early.
 */
export async function* readAhead<T>(
  sources: readonly AsyncIterable<T>[],
  ahead: number,
): AsyncGenerator<FromSource<T>> {
  const running: Running<T>[] = []
  try {
    for (let source = 0; source < sources.length; source++) {
      while (running.length < sources.length && running.length <= source + ahead)
        running.push(start(sources[running.length]!))
      const { iterator, first } = running[source]!
      for (let step = await first; ; step = await settled(iterator.next())) {
        if ('error' in step) yield { source, error: step.error }
        else if (!step.done) yield { source, value: step.value }
        if ('error' in step || step.done) break
      }
    }
  } finally {
    // `return` waits for a value that is still in the making.
    for (const { iterator } of running) await settled(iterator.return?.())
  }
}

type Step<T> = IteratorResult<T, unknown> | { error: unknown }
type Running<T> = { iterator: AsyncIterator<T, unknown>; first: Promise<Step<T>> }

function start<T>(source: AsyncIterable<T>): Running<T> {
  const iterator: AsyncIterator<T, unknown> = source[Symbol.asyncIterator]()
  return { iterator, first: settled(iterator.next()) as Promise<Step<T>> }
}

/** A rejection as a value: it may come long before anybody looks. */
async function settled<R>(result: Promise<R> | undefined): Promise<R | { error: unknown }> {
  try {
    return (await result) as R
  } catch (error) {
    return { error }
  }
}

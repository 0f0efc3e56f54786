import { KuraError } from '../../core/errors.ts'

/** A body that ends with `source_file_too_large` once it gives more than `limit_bytes`. */
export async function* limitedBody(
  body: AsyncIterable<Uint8Array>,
  { signal, limit_bytes }: { signal: AbortSignal; limit_bytes: number },
): AsyncGenerator<Uint8Array> {
  let size_bytes = 0
  for await (const chunk of body) {
    signal.throwIfAborted()
    size_bytes += chunk.byteLength
    if (size_bytes > limit_bytes) throw new KuraError('source_file_too_large', { limit_bytes })
    yield chunk
  }
}

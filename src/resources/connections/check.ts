import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { validator } from '../../core/validation.ts'
import { findProvider, providerTypes } from '../../platform/sources/registry.ts'
import type { OpenSource, SourceConfig, SourceProvider } from '../../platform/sources/source-provider.ts'

/** A source that does not answer within this time fails its test. */
const TEST_TIMEOUT_MS = 30_000

/** Throws `provider_not_available` for what the contract names and this server lacks. */
export function requireProvider(provider_type: string): SourceProvider {
  const provider = findProvider(provider_type)
  if (!provider) throw new KuraError('provider_not_available', { provider_type, available: providerTypes() })
  return provider
}

/** The configuration with defaults filled in; violations are told below `provider_config`. */
export function checkConfig({ config, provider_type }: SourceProvider, given: SourceConfig): SourceConfig {
  const violations: Violation[] = []
  const checked = validator(config)(given, ['body', 'provider_config'], violations) as SourceConfig
  if (violations.length > 0) throw new ValidationError(violations)
  return { provider_type, ...checked }
}

/** Runs `work` on an opened source, closes it, and bounds the time of it all. */
export async function withSource<T>(
  open: () => Promise<OpenSource>,
  work: (source: OpenSource, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.timeout(TEST_TIMEOUT_MS)
  let source: OpenSource | undefined
  try {
    source = await open()
    return await work(source, signal)
  } catch (error) {
    if (signal.aborted && error === signal.reason)
      throw new KuraError('connection_failed', { reason: 'the source did not answer in time.' })
    throw error
  } finally {
    await source?.close()
  }
}

/** Null when the source works, else why not; faults of this server are thrown. */
export async function testSource(open: () => Promise<OpenSource>): Promise<KuraError | null> {
  try {
    await withSource(open, (source, signal) => source.test(signal))
    return null
  } catch (error) {
    if (error instanceof KuraError && error.row.status < 500) return error
    throw error
  }
}

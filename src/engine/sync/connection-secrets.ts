import { KuraError } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import { findProvider } from '../../platform/sources/registry.ts'
import type {
  OpenSource,
  SourceConfig,
  SourceContext,
  SourceProvider,
} from '../../platform/sources/source-provider.ts'

/** What clients see in place of a secret; typed clients enforce 40 characters. */
export const MASK = '*'.repeat(40)

export type StoredConfig = { config: string; sealed_secrets: string | null }
type Named = { organization_id: string; connection_id: string }

const contextOf = ({ organization_id, connection_id }: Named) =>
  `connections/${organization_id}/${connection_id}`

/**
 * Splits a checked configuration into what may be shown and what is sealed. Paths that name a record
 * (`credentials.headers`) seal each of its values.
 */
export function sealConfig(
  box: SecretBox,
  connection: Named,
  { secrets }: SourceProvider,
  config: SourceConfig,
): StoredConfig {
  const shown = structuredClone(config) as Record<string, unknown>
  const hidden: Record<string, string> = {}
  for (const path of secrets.flatMap((secret) => leavesAt(shown, secret))) {
    const value = valueAt(shown, path)
    if (typeof value !== 'string') continue
    hidden[path.join('\0')] = value
    setAt(shown, path, MASK)
  }
  const isBare = Object.keys(hidden).length === 0
  return {
    config: JSON.stringify(shown),
    sealed_secrets: isBare ? null : box.seal(JSON.stringify(hidden), contextOf(connection)),
  }
}

/** The configuration with its secrets. Throws `secret_unreadable`. */
export function openConfig(box: SecretBox, connection: Named & StoredConfig): SourceConfig {
  const config = JSON.parse(connection.config) as Record<string, unknown>
  if (connection.sealed_secrets === null) return config
  const hidden = JSON.parse(box.open(connection.sealed_secrets, contextOf(connection))) as Record<
    string,
    string
  >
  for (const [path, value] of Object.entries(hidden)) setAt(config, path.split('\0'), value)
  return config
}

/** A configuration as sent, with the stored secret wherever the client sent the mask back. */
export function keepMasked(
  sent: SourceConfig,
  stored: SourceConfig,
  { secrets }: SourceProvider,
): Record<string, unknown> {
  const kept = structuredClone(sent) as Record<string, unknown>
  for (const path of secrets.flatMap((secret) => leavesAt(kept, secret)))
    if (valueAt(kept, path) === MASK) setAt(kept, path, valueAt(stored, path))
  return kept
}

/** Opens what a stored connection leads to. Throws `provider_not_available`, `connection_failed`, `url_not_allowed`. */
export async function openConnection(
  { secrets, sources }: { secrets: SecretBox; sources: SourceContext },
  connection: Named & StoredConfig & { provider_type: string },
): Promise<OpenSource> {
  const provider = findProvider(connection.provider_type)
  if (!provider) throw new KuraError('connection_failed', { reason: 'its provider is not available.' })
  return provider.open(openConfig(secrets, connection), sources)
}

/** The path itself, or one path a member when a record stands there. */
function leavesAt(config: object, dotted: string): string[][] {
  const path = dotted.split('.')
  const value = valueAt(config, path)
  return isObject(value) ? Object.keys(value).map((name) => [...path, name]) : [path]
}

function valueAt(config: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), config)
}

function setAt(config: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const parent = valueAt(config, path.slice(0, -1))
  if (isObject(parent)) parent[path.at(-1)!] = value
}

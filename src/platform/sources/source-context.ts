import type { HttpClient } from '../net/http-client.ts'
import { OutboundGuard } from '../net/outbound-guard.ts'
import type { CloudAddresses, SourceContext } from './source-provider.ts'

/** Settings of the operator that concern sources. */
export type SourceSettings = { local_source_roots: string; allowed_private_hosts: string } & CloudAddresses

/** What providers get, from the settings of the operator. */
export function sourceContext(settings: SourceSettings, http: HttpClient): SourceContext {
  const { local_source_roots, allowed_private_hosts } = settings
  const roots = local_source_roots.split(',').map((root) => root.trim())
  const address = (url: string) => url.replace(/\/+$/, '')
  return {
    http,
    guard: new OutboundGuard({ allowed_private_hosts }),
    local_source_roots: roots.filter((root) => root !== ''),
    clouds: {
      google_api_url: address(settings.google_api_url),
      google_token_url: address(settings.google_token_url),
      microsoft_graph_url: address(settings.microsoft_graph_url),
      microsoft_login_url: address(settings.microsoft_login_url),
    },
  }
}

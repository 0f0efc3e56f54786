import type { HttpClient } from '../net/http-client.ts'
import { OutboundGuard } from '../net/outbound-guard.ts'
import type { SourceContext } from './source-provider.ts'

/** What providers get, from the settings of the operator. */
export function sourceContext(
  {
    local_source_roots,
    allowed_private_hosts,
  }: { local_source_roots: string; allowed_private_hosts: string },
  http: HttpClient,
): SourceContext {
  const roots = local_source_roots.split(',').map((root) => root.trim())
  return {
    http,
    guard: new OutboundGuard({ allowed_private_hosts }),
    local_source_roots: roots.filter((root) => root !== ''),
  }
}

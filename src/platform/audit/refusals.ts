import type { OrganizationScope } from '../../core/scope.ts'
import { type Clock, systemClock } from '../../core/time.ts'
import type { Db } from '../db/db.ts'
import { recordAudit } from './audit-log.ts'

/** A key that tries the same again and again is written down once in this time. */
const QUIET_MS = 10_000
const REMEMBERED_MAX = 10_000

/** Audit actions by what an operation does to a resource of the organization; the contract has no others. */
const ACTIONS: readonly [RegExp, string, string][] = [
  [/^POST \/v1\/organizations\/users\/[^/]+\/api-keys\/[^/]+\/rotate/, 'api_key_rotated', 'api_key'],
  [/^POST \/v1\/organizations\/users\/[^/]+\/api-keys/, 'api_key_created', 'api_key'],
  [/^PATCH \/v1\/organizations\/users\/[^/]+\/api-keys/, 'permission_updated', 'api_key'],
  [/^DELETE \/v1\/organizations\/users\/[^/]+\/api-keys/, 'api_key_revoked', 'api_key'],
  [/^POST \/v1\/organizations\/users/, 'user_created', 'user'],
  [/^PATCH \/v1\/organizations\/users/, 'user_updated', 'user'],
  [/^DELETE \/v1\/organizations\/users/, 'user_deleted', 'user'],
  [/^POST \/v1\/organizations\/secrets/, 'secret_created', 'secret'],
  [/^PUT \/v1\/organizations\/secrets/, 'secret_updated', 'secret'],
  [/^DELETE \/v1\/organizations\/secrets/, 'secret_deleted', 'secret'],
  [/^PATCH \/v1\/organizations\/audit/, 'audit_settings_updated', 'organization'],
  [/^POST \/v1\/organizations\/connections\/[^/]+\/test/, 'storage_connection_tested', 'storage_connection'],
  [/^POST \/v1\/organizations\/connections$/, 'storage_connection_created', 'storage_connection'],
  [/^PATCH \/v1\/organizations\/connections/, 'storage_connection_updated', 'storage_connection'],
  [/^DELETE \/v1\/organizations\/connections/, 'storage_connection_deleted', 'storage_connection'],
]

/** Resources that have actions of their own, as paths name them. */
const NOUNS: Readonly<Record<string, string>> = {
  namespaces: 'namespace',
  buckets: 'bucket',
  collections: 'collection',
  retrievers: 'retriever',
}

/** What was tried, and on which kind of resource. */
function attemptOf(endpoint: string): { action: string; resource_type: string } {
  const known = ACTIONS.find(([pattern]) => pattern.test(endpoint))
  if (known) return { action: known[1], resource_type: known[2] }
  const [, method, noun = '', rest = ''] = /^(\w+) \/v1\/(\w+)(.*)$/.exec(endpoint) ?? []
  const resource_type = NOUNS[noun] ?? 'organization'
  if (method === 'GET') return { action: `${resource_type}_accessed`, resource_type }
  // What is done to a part of a resource changes the resource.
  const isWhole = resource_type !== 'organization' && !rest.slice(1).includes('/')
  const verb = isWhole && method === 'DELETE' ? 'deleted' : isWhole && rest === '' ? 'created' : 'updated'
  return { action: `${resource_type}_${verb}`, resource_type }
}

/** Writes down what administrators alone may do and somebody else has tried. */
export class Refusals {
  readonly #db: Db
  readonly #clock: Clock
  readonly #until_ms = new Map<string, number>()

  constructor({ db, clock = systemClock }: { db: Db; clock?: Clock }) {
    this.#db = db
    this.#clock = clock
  }

  /** `endpoint` is method and pattern of the path, `resource_id` what the path names. */
  async record(scope: OrganizationScope, endpoint: string, resource_id: string): Promise<void> {
    const now_ms = this.#clock.now()
    const key = `${scope.actor?.keyId} ${endpoint} ${resource_id}`
    if ((this.#until_ms.get(key) ?? 0) > now_ms) return
    if (this.#until_ms.size >= REMEMBERED_MAX) this.#until_ms.clear()
    this.#until_ms.set(key, now_ms + QUIET_MS)
    await recordAudit(this.#db, scope, { ...attemptOf(endpoint), resource_id, status: 'failure' })
  }
}

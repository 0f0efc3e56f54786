import { sql } from 'kysely'
import { KuraError } from '../../core/errors.ts'
import { VERSION } from '../../core/version.ts'
import type { BlobStore } from '../../platform/blobs/blobs.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Models } from '../../platform/models/models.ts'
import type { HealthReport } from './schemas.ts'

/** Probes look at the parts at most this often, so that a busy load balancer costs nothing. */
const CHECK_CACHE_MS = 5000
const PROBE_TIMEOUT_MS = 2000

type Part = keyof HealthReport['data']

export class HealthService {
  readonly #db: Db
  readonly #blobs: BlobStore
  readonly #models: Models
  #last: { report: HealthReport; at_ms: number } | undefined

  constructor({ db, blobs, models }: { db: Db; blobs: BlobStore; models: Models }) {
    this.#db = db
    this.#blobs = blobs
    this.#models = models
  }

  /** OK or DEGRADED; throws `database_unavailable` when nothing can work. */
  async check(): Promise<HealthReport> {
    if (this.#last && performance.now() - this.#last.at_ms < CHECK_CACHE_MS) return this.#last.report
    const errors: Partial<Record<Part, string>> = {}
    const probe = async (part: Part, look: () => Promise<unknown>): Promise<boolean> => {
      try {
        await withTimeout(look(), PROBE_TIMEOUT_MS)
        return true
      } catch (error) {
        errors[part] = (error as Error).message
        return false
      }
    }
    const metadata = await probe('metadata', () => sql`select 1 as one`.execute(this.#db))
    if (!metadata) throw new KuraError('database_unavailable', {}, { cause: errors.metadata })
    const object_storage = await probe('object_storage', () => this.#blobs.check())
    const inference = this.#models.describe('text') !== undefined
    if (!inference) errors.inference = 'No model is bound to the text slot.'
    const report: HealthReport = {
      status: object_storage && inference ? 'OK' : 'DEGRADED',
      data: { cache: true, metadata, vector_store: true, object_storage, task_queue: true, inference },
      ...(Object.keys(errors).length > 0 && { errors }),
      meta: { version: VERSION },
    }
    this.#last = { report, at_ms: performance.now() }
    return report
  }
}

async function withTimeout<T>(work: Promise<T>, timeout_ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout_ms} ms`)), timeout_ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

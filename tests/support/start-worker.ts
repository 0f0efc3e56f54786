import { createJobHandlers } from '../../src/engine.ts'
import { openDb } from '../../src/platform/db/db.ts'
import { Files, loadSigningKey } from '../../src/platform/files/files.ts'
import { DbQueue } from '../../src/platform/queue/db-queue.ts'
import type { JobHandlers } from '../../src/platform/queue/queue.ts'
import { Worker } from '../../src/worker.ts'
import type { TestApp } from './test-app.ts'

/** A worker with connections of its own, as in a process of its own. Returns how to stop it. */
export async function startWorker(
  { deps }: TestApp,
  name: string,
  wrap: (handlers: JobHandlers) => JobHandlers = (handlers) => handlers,
): Promise<() => Promise<void>> {
  const { blobs, logger } = deps
  const db = openDb(deps.config.database_url, { durability: 'normal' })
  const files = new Files({ db, blobs, signing_key: await loadSigningKey(db) })
  const queue = new DbQueue(db)
  const handlers = wrap(createJobHandlers({ ...deps, db, queue, files }))
  const worker = new Worker({ worker_id: `here/${process.pid}/${name}`, queue, handlers, logger })
  worker.start()
  return async () => {
    await worker.stop()
    await db.destroy()
  }
}

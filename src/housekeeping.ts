import type { Deps } from './deps.ts'
import { createUsedIndexes } from './resources/namespaces/index.ts'
import { markExpired } from './resources/organizations/index.ts'
import { purgeSourceEvents } from './resources/source-adapters/index.ts'
import { cleanUploads } from './resources/uploads/index.ts'
import { purgeDeliveries } from './resources/webhooks/index.ts'

const EVERY_MS = 3600_000
/** Bytes without a row are a crash's remains once no request can still be about to commit them. */
const ORPHAN_AGE_MS = 24 * 3600_000

/** Removes what has had its time: old tasks, deliveries and events, the audit log after a year, and bytes that no row names; makes the payload indexes that filters ask for. Returns how to stop it. */
export function startHousekeeping({
  db,
  tasks,
  files,
  blobs,
  organizations,
  logger,
}: Pick<Deps, 'db' | 'tasks' | 'files' | 'blobs' | 'organizations' | 'logger'>): () => void {
  const run = async () => {
    try {
      const purged = await tasks.purge()
      const deliveries = (await purgeDeliveries(db)) + (await purgeSourceEvents(db))
      const uploads = await cleanUploads({ db, files, blobs })
      await markExpired(db)
      const audited = (await organizations.audit.purge()) + (await organizations.usage.purge())
      const indexes_created = await createUsedIndexes(db)
      if (indexes_created > 0)
        logger.info({ indexes_created }, 'Fields that filters use often have payload indexes now.')
      const swept = await files.sweepOrphans({ older_than_ms: ORPHAN_AGE_MS })
      if (uploads.uploads_expired + uploads.uploads_removed + uploads.leftovers_deleted > 0)
        logger.info(uploads, 'Uploads past their time are gone.')
      if (purged + deliveries + audited + swept.files_deleted > 0)
        logger.info(
          { tasks: purged, deliveries, audited, ...swept },
          'Old tasks, deliveries, audit events and orphaned files are gone.',
        )
    } catch (err) {
      logger.warn({ err }, 'Housekeeping failed; it is tried again in an hour.')
    }
  }
  const timer = setInterval(() => void run(), EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

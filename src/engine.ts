import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { DEFAULT_LIMITS, type IngestLimits } from './engine/ingest/deps.ts'
import { createFetchUrl } from './engine/ingest/fetch-url.ts'
import { ingestHandlers } from './engine/ingest/handlers.ts'
import { builtinExtractors } from './extractors/builtin.ts'
import { ingestEffects } from './ingest-effects.ts'
import { openModels } from './open-models.ts'
import type { BlobStore } from './platform/blobs/blobs.ts'
import { openBlobs } from './platform/blobs/open-blobs.ts'
import { type Db, inTransaction, openDb } from './platform/db/db.ts'
import { Files, loadSigningKey } from './platform/files/files.ts'
import type { Models } from './platform/models/models.ts'
import { HttpClient } from './platform/net/http-client.ts'
import { DbQueue } from './platform/queue/db-queue.ts'
import type { Job, JobHandler, JobHandlers, JobQueue } from './platform/queue/queue.ts'
import { openSecretBox } from './platform/secrets/open-secret-box.ts'
import type { SecretBox } from './platform/secrets/secret-box.ts'
import { Vault } from './platform/secrets/vault.ts'
import { sourceContext } from './platform/sources/source-context.ts'
import { BatchService, cancelTaskOfBatch } from './resources/batches/index.ts'
import { deleteBucketJob } from './resources/buckets/index.ts'
import { type DeleteCollectionPayload, finishCollectionDelete } from './resources/collections/index.ts'
import { createOpenAddress } from './resources/connections/index.ts'
import { cloneNamespaceJob, deleteNamespaceJob } from './resources/namespaces/index.ts'
import { createObjectCreator, createObjectIntake } from './resources/objects/index.ts'
import { SourceAdapterStore, takeSourceEventsJob } from './resources/source-adapters/index.ts'
import { TaskService } from './resources/tasks/index.ts'
import { confirmUploadsJob, purgeUploads, type UploadLimits } from './resources/uploads/index.ts'
import { createSender, deliverWebhooksJob, type WebhookSettings } from './resources/webhooks/index.ts'
import { createSyncJob, type SyncConfig } from './sync-engine.ts'

export type HandlerDeps = {
  config: Pick<Config, 'row_timeout_seconds' | 'inline_blob_limit_bytes' | 'url_blob_limit_bytes'> &
    WebhookSettings &
    SyncConfig &
    UploadLimits
  db: Db
  queue: JobQueue
  blobs: BlobStore
  files: Files
  models: Models
  http: HttpClient
  secrets: SecretBox
  logger: Logger
}

/** What runs in the background, by kind of job. */
export function createJobHandlers(deps: HandlerDeps, limits: Partial<IngestLimits> = {}): JobHandlers {
  const { config, db, queue, blobs, files, models, http, secrets, logger } = deps
  const vault = new Vault({ db, box: secrets })
  const row_timeout_ms = config.row_timeout_seconds * 1000
  return {
    ...ingestHandlers({
      db,
      queue,
      files,
      models,
      extractors: builtinExtractors,
      fetchUrl: createFetchUrl({
        http,
        openAddress: createOpenAddress({ db, secrets, sources: sourceContext(config, http) }),
      }),
      fillSecrets: (scope, parameters) => vault.fill(scope, parameters),
      effects: ingestEffects,
      limits: { ...DEFAULT_LIMITS, row_timeout_ms, ...limits },
      log: logger,
    }),
    take_source_events: takeEventsJob(deps),
    deliver_webhook: deliverWebhooksJob({ db, queue, secrets, sender: createSender(http, config) }),
    confirm_uploads: confirmUploadsJob({
      db,
      files,
      blobs,
      queue,
      objects: createObjectCreator({ db, files, http, config }),
      limits: config,
    }),
    run_sync: createSyncJob({ config, db, queue, files, http, secrets, effects: ingestEffects }),
    delete_bucket: deleteBucketJob({ db, files, queue, purges: [purgeUploads] }),
    delete_namespace: deleteNamespaceJob({ db, files, queue }),
    clone_namespace: cloneNamespaceJob({ db, files, queue }),
    delete_collection: (job, signal) => finishCollectionJob({ db, files, queue }, job, signal),
  }
}

function takeEventsJob({ config, db, queue, files, http, secrets }: HandlerDeps): JobHandler {
  const tasks = new TaskService({ db, cancel: cancelTaskOfBatch })
  const batches = new BatchService({ db, queue, effects: ingestEffects, tasks })
  return takeSourceEventsJob({
    db,
    queue,
    adapters: new SourceAdapterStore(secrets),
    intake: createObjectIntake({
      db,
      files,
      http,
      config,
      openAddress: createOpenAddress({ db, secrets, sources: sourceContext(config, http) }),
    }),
    submit: (trx, scope, bucket_id, object_ids) =>
      batches.createAndSubmit(scope, { bucket_id, object_ids }, trx),
  })
}

async function finishCollectionJob(
  { db, files, queue }: Pick<HandlerDeps, 'db' | 'files' | 'queue'>,
  job: Job,
  signal: AbortSignal,
): Promise<void> {
  const scope = { organizationId: job.organization_id, namespaceId: job.namespace_id }
  await finishCollectionDelete({ db, files }, scope, job.payload as DeleteCollectionPayload, signal)
  await inTransaction(db, (trx) => queue.complete(trx, job))
}

/** All that a process needs to run jobs; its own connections, apart from the API's. */
export type Engine = { queue: JobQueue; handlers: JobHandlers; close(): Promise<void> }

/** Opens what jobs need. Commits need not survive a power cut: their jobs would run again. */
export async function createEngine(config: Config, logger: Logger): Promise<Engine> {
  // A clone holds a connection while it writes on another: all transfers may be clones, and must not starve.
  const pool_max = config.engine_transfers + 10
  const db = openDb(config.database_url, { durability: 'normal', pool_max })
  const secrets = await openSecretBox(db, config)
  const blobs = openBlobs(config)
  const files = new Files({ db, blobs, signing_key: await loadSigningKey(db), log: logger })
  const queue = new DbQueue(db)
  const models = openModels(config, 'in_process', logger)
  const http = new HttpClient(config)
  return {
    queue,
    handlers: createJobHandlers({ config, db, queue, blobs, files, models, http, secrets, logger }),
    async close() {
      await Promise.all([models.close(), http.close()])
      await db.destroy()
    },
  }
}

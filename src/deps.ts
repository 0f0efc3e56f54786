import pino, { type Logger } from 'pino'
import type { Config } from './config.ts'
import { createReadContent } from './engine/retrieve/read-content.ts'
import { builtinExtractors } from './extractors/builtin.ts'
import { CallerCache } from './http/auth.ts'
import type { NamespaceLookup } from './http/scope.ts'
import { ingestEffects } from './ingest-effects.ts'
import { openModels } from './open-models.ts'
import type { BlobStore } from './platform/blobs/blobs.ts'
import { openBlobs, tryBlobs } from './platform/blobs/open-blobs.ts'
import { type Db, openDb } from './platform/db/db.ts'
import { migrate } from './platform/db/migrate.ts'
import { migrations } from './platform/db/migrations/index.ts'
import { Files, loadSigningKey } from './platform/files/files.ts'
import { createLexicalIndexes } from './platform/lexical/in-process-lexical.ts'
import type { LexicalIndexes } from './platform/lexical/lexical.ts'
import type { WarmableModels } from './platform/models/create-models.ts'
import { HttpClient } from './platform/net/http-client.ts'
import { DbQueue } from './platform/queue/db-queue.ts'
import type { JobQueue } from './platform/queue/queue.ts'
import { openSecretBox } from './platform/secrets/open-secret-box.ts'
import type { SecretBox } from './platform/secrets/secret-box.ts'
import { sourceContext } from './platform/sources/source-context.ts'
import { FilterUses } from './platform/usage/filter-uses.ts'
import { UsageRecorder } from './platform/usage/usage-recorder.ts'
import { createVectorIndexes } from './platform/vectors/in-process-indexes.ts'
import type { VectorIndexes } from './platform/vectors/vectors.ts'
import { BatchService, cancelTaskOfBatch } from './resources/batches/index.ts'
import { BucketService } from './resources/buckets/index.ts'
import { CollectionService } from './resources/collections/index.ts'
import { ConnectionService, createOpenAddress } from './resources/connections/index.ts'
import { DocumentService } from './resources/documents/index.ts'
import { HealthService } from './resources/health/index.ts'
import { ensureDefaultNamespace, NamespaceService, namespaceLookup } from './resources/namespaces/index.ts'
import { createObjectCreator, createObjectService, type ObjectService } from './resources/objects/index.ts'
import {
  type Bootstrap,
  bootstrap,
  createOrganizationServices,
  type OrganizationServices,
} from './resources/organizations/index.ts'
import { ExecuteService, RetrieverService } from './resources/retrievers/index.ts'
import { SourceAdapterService, SourceAdapterStore } from './resources/source-adapters/index.ts'
import { cancelTaskOfSync, SyncService, suspendSyncs } from './resources/syncs/index.ts'
import { insertTask, TaskService } from './resources/tasks/index.ts'
import { findUploadedFile, UploadService } from './resources/uploads/index.ts'
import { createWebhookServices, type WebhookServices } from './resources/webhooks/index.ts'

/** Everything the program is made of. */
export type Deps = {
  config: Config
  logger: Logger
  db: Db
  blobs: BlobStore
  files: Files
  queue: JobQueue
  models: WarmableModels
  vectors: VectorIndexes
  lexical: LexicalIndexes
  http: HttpClient
  secrets: SecretBox
  callers: CallerCache
  usage: UsageRecorder
  filterUses: FilterUses
  organizations: OrganizationServices
  namespaceLookup: NamespaceLookup
  bootstrap: Bootstrap
  buckets: BucketService
  objects: ObjectService
  batches: BatchService
  connections: ConnectionService
  syncs: SyncService
  collections: CollectionService
  documents: DocumentService
  retrievers: RetrieverService
  executions: ExecuteService
  health: HealthService
  namespaces: NamespaceService
  tasks: TaskService
  uploads: UploadService
  webhookServices: WebhookServices
  sourceAdapters: SourceAdapterService
  close(): Promise<void>
}

/** The composition root: opens, migrates and connects what the configuration names. */
export async function createDeps(
  config: Config,
  {
    logger = pino({ level: config.log_level }),
    run_models = 'child',
  }: { logger?: Logger; run_models?: 'child' | 'in_process' } = {},
): Promise<Deps> {
  const db = openDb(config.database_url, { durability: 'full' })
  await migrate(db, migrations)
  const started = await bootstrap(db, config)
  await ensureDefaultNamespace(db, started.organizationId, builtinExtractors)
  const secrets = await openSecretBox(db, config)
  const callers = new CallerCache()
  const usage = new UsageRecorder({ db, log: logger })
  const filterUses = new FilterUses({ db, log: logger })
  const blobs = openBlobs(config)
  await tryBlobs(blobs, config.storage_url, logger)
  const files = new Files({ db, blobs, signing_key: await loadSigningKey(db), log: logger })
  const queue = new DbQueue(db)
  const models = openModels(config, run_models, logger)
  const indexes = { database_url: config.database_url, home: config.home, logger }
  const vectors = createVectorIndexes(indexes)
  const lexical = createLexicalIndexes(indexes)
  const http = new HttpClient(config)
  const adapters = new SourceAdapterStore(secrets)
  const sources = sourceContext(config, http)
  const readContent = createReadContent({ files, http })
  const tasks = new TaskService({ db, cancel: { ...cancelTaskOfBatch, ...cancelTaskOfSync } })
  const batches = new BatchService({ db, queue, effects: ingestEffects, tasks })
  return {
    config,
    logger,
    db,
    blobs,
    files,
    queue,
    models,
    vectors,
    lexical,
    http,
    secrets,
    callers,
    usage,
    filterUses,
    organizations: createOrganizationServices({
      db,
      box: secrets,
      recorder: usage,
      rate_limit_per_minute: config.rate_limit_per_minute,
      onKeysChanged: () => callers.expire(),
    }),
    namespaceLookup: namespaceLookup(db),
    bootstrap: started,
    buckets: new BucketService({ db, queue, adapters }),
    objects: createObjectService({
      db,
      files,
      http,
      config,
      process: {
        submit: (trx, scope, bucket_id, object_ids) =>
          batches.createAndSubmit(
            scope,
            { bucket_id, object_ids, request_id: scope.actor?.requestId ?? null },
            trx,
          ),
        wake: () => queue.wake(),
      },
      findUpload: findUploadedFile(db),
      openAddress: createOpenAddress({ db, secrets, sources }),
    }),
    batches,
    connections: new ConnectionService({ db, secrets, sources, suspendSyncs }),
    syncs: new SyncService({ db, queue, effects: { insertTask } }),
    collections: new CollectionService({ db, files, queue, models, extractors: builtinExtractors }),
    documents: new DocumentService({ db, files, models, filterUses }),
    retrievers: new RetrieverService({ db, models }),
    executions: new ExecuteService({ db, files, models, vectors, lexical, readContent, filterUses }),
    health: new HealthService({ db, blobs, models }),
    namespaces: new NamespaceService({ db, queue, models, extractors: builtinExtractors }),
    tasks,
    uploads: new UploadService(
      { db, files, blobs, queue, objects: createObjectCreator({ db, files, http, config }), limits: config },
      tasks,
    ),
    sourceAdapters: new SourceAdapterService({ db, queue, http, adapters }),
    webhookServices: createWebhookServices({ db, queue, secrets, http, config }),
    async close() {
      await Promise.all([usage.stop(), filterUses.stop()])
      await Promise.all([models.close(), vectors.close(), lexical.close(), http.close()])
      await db.destroy()
    },
  }
}

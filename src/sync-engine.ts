import type { Config } from './config.ts'
import type { Scope } from './core/scope.ts'
import type { Effects } from './engine/ingest/deps.ts'
import {
  DEFAULT_SYNC_LIMITS,
  type SyncLimits,
  type SyncObjects,
  type SyncWriter,
} from './engine/sync/deps.ts'
import { runSyncJob } from './engine/sync/handler.ts'
import type { Db } from './platform/db/db.ts'
import type { Files } from './platform/files/files.ts'
import type { HttpClient } from './platform/net/http-client.ts'
import type { JobHandler, JobQueue } from './platform/queue/queue.ts'
import type { SecretBox } from './platform/secrets/secret-box.ts'
import { type SourceSettings, sourceContext } from './platform/sources/source-context.ts'
import type { SourceContext } from './platform/sources/source-provider.ts'
import { BatchService, cancelTaskOfBatch } from './resources/batches/index.ts'
import { type BucketRecord, findBucket, requireWritable } from './resources/buckets/index.ts'
import { createOpenAddress, recordUse } from './resources/connections/index.ts'
import { createObjectIntake, type PreparedObject } from './resources/objects/index.ts'
import { insertTask, TaskService, updateTask } from './resources/tasks/index.ts'

export type SyncConfig = Pick<Config, 'inline_blob_limit_bytes' | 'url_blob_limit_bytes'> & SourceSettings

type Options = {
  config: SyncConfig
  db: Db
  queue: JobQueue
  files: Files
  http: HttpClient
  secrets: SecretBox
  effects: Effects
}

/** The job that runs syncs, with everything that it causes in other resources. */
export function createSyncJob(options: Options, limits: Partial<SyncLimits> = {}): JobHandler {
  const { config, db, queue, files, http, secrets, effects } = options
  const sources = sourceContext(config, http)
  const tasks = new TaskService({ db, cancel: cancelTaskOfBatch })
  const batches = new BatchService({ db, queue, effects, tasks })
  return runSyncJob({
    db,
    queue,
    files,
    secrets,
    sources,
    objects: syncObjects(options, sources),
    effects: {
      insertTask,
      updateTask,
      recordConnectionUse: recordUse,
      submitBatch: (trx, scope, bucket_id, object_ids) =>
        batches.createAndSubmit(scope, { bucket_id, object_ids }, trx),
    },
    limits: { ...DEFAULT_SYNC_LIMITS, file_bytes_max: config.url_blob_limit_bytes, ...limits },
  })
}

function syncObjects({ db, files, http, config, secrets }: Options, sources: SourceContext): SyncObjects {
  const openAddress = createOpenAddress({ db, secrets, sources })
  const intake = createObjectIntake({ db, files, http, config, openAddress })
  return {
    async bucket(scope, bucket_id) {
      const bucket = await findBucket(db, scope, bucket_id)
      requireWritable(bucket)
      return bucket
    },
    prepare: (scope, bucket: BucketRecord, object, signal) => intake.prepare(scope, bucket, object, signal),
    write: <T>(scope: Scope, bucket: BucketRecord, work: (writer: SyncWriter) => Promise<T>) =>
      intake.write(scope, bucket, work),
    discard: (prepared: PreparedObject) => intake.discard(prepared),
  }
}

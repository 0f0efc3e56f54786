import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import { GenericDeleteResponse } from '../../core/schema.ts'
import type { App } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { normalizeStatus, normalizeSync } from './normalize.ts'
import {
  CreateSyncBody,
  ListFilesQuery,
  ListRunsResponse,
  ListSyncFilesResponse,
  ListSyncsBody,
  ListSyncsResponse,
  SyncConfiguration,
  SyncRunModel,
  TriggerOptions,
  TriggerResponse,
  UpdateSyncBody,
} from './schemas.ts'
import type { SyncService } from './service.ts'

const BucketParams = Type.Object({ bucket_id: Type.String() })
const Params = Type.Object({ bucket_id: Type.String(), sync_config_id: Type.String() })
const RunParams = Type.Object({
  bucket_id: Type.String(),
  sync_config_id: Type.String(),
  sync_job_id: Type.String(),
})
const PATH = '/buckets/:bucket_id/syncs/:sync_config_id'
const ID = 'v1_buckets__bucket_id__syncs'

export async function syncRoutes(app: App, { syncs }: { syncs: SyncService }) {
  app.post(
    '/buckets/:bucket_id/syncs',
    {
      config: { permission: 'write', normalize: normalizeSync },
      schema: {
        operationId: `create_sync_configuration_${ID}_post`,
        params: BucketParams,
        body: CreateSyncBody,
        response: { 200: SyncConfiguration, ...errorResponses },
      },
    },
    ({ scope, params, body }) => syncs.create(scope, params.bucket_id, body),
  )
  app.post(
    '/buckets/:bucket_id/syncs/list',
    {
      config: { permission: 'read', paging: PAGE_BOUNDS, normalize: normalizeStatus },
      schema: {
        operationId: `list_sync_configurations_${ID}_list_post`,
        params: BucketParams,
        body: ListSyncsBody,
        response: { 200: ListSyncsResponse, ...errorResponses },
      },
    },
    ({ scope, params, body, page }) => syncs.list(scope, params.bucket_id, body, page),
  )
  app.get(
    PATH,
    {
      config: { permission: 'read' },
      schema: {
        operationId: `get_sync_configuration_${ID}__sync_config_id__get`,
        params: Params,
        response: { 200: SyncConfiguration, ...errorResponses },
      },
    },
    ({ scope, params }) => syncs.get(scope, params),
  )
  app.patch(
    PATH,
    {
      config: { permission: 'write', normalize: normalizeStatus },
      schema: {
        operationId: `update_sync_configuration_${ID}__sync_config_id__patch`,
        params: Params,
        body: UpdateSyncBody,
        response: { 200: SyncConfiguration, ...errorResponses },
      },
    },
    ({ scope, params, body }) => syncs.update(scope, params, body),
  )
  app.delete(
    PATH,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: `delete_sync_configuration_${ID}__sync_config_id__delete`,
        params: Params,
        response: { 200: GenericDeleteResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => syncs.delete(scope, params),
  )
  app.post(
    `${PATH}/trigger`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `trigger_sync_configuration_${ID}__sync_config_id__trigger_post`,
        params: Params,
        querystring: TriggerOptions,
        body: TriggerOptions,
        response: { 200: TriggerResponse, ...errorResponses },
      },
    },
    ({ scope, params, query, body }) =>
      syncs.trigger(scope, params, { dry_run: query.dry_run || body.dry_run }),
  )
  for (const verb of ['pause', 'resume'] as const)
    app.post(
      `${PATH}/${verb}`,
      {
        config: { permission: 'write' },
        schema: {
          operationId: `${verb}_sync_configuration_${ID}__sync_config_id__${verb}_post`,
          params: Params,
          response: { 200: SyncConfiguration, ...errorResponses },
        },
      },
      ({ scope, params }) => syncs[verb](scope, params),
    )
  historyRoutes(app, syncs)
}

/** Extensions: what runs did, and what is known of each file. */
function historyRoutes(app: App, syncs: SyncService): void {
  app.get(
    `${PATH}/runs`,
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_sync_runs',
        params: Params,
        response: { 200: ListRunsResponse, ...errorResponses },
      },
    },
    ({ scope, params, page }) => syncs.runs(scope, params, page),
  )
  app.get(
    `${PATH}/runs/:sync_job_id`,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_sync_run',
        params: RunParams,
        response: { 200: SyncRunModel, ...errorResponses },
      },
    },
    ({ scope, params }) => syncs.run(scope, params, params.sync_job_id),
  )
  app.get(
    `${PATH}/files`,
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_sync_files',
        params: Params,
        querystring: ListFilesQuery,
        response: { 200: ListSyncFilesResponse, ...errorResponses },
      },
    },
    ({ scope, params, query, page }) => syncs.files(scope, params, query.state ?? null, page),
  )
}

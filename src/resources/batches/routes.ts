import Type from 'typebox'
import { GenericDeleteResponse, Nullable, optional } from '../../core/schema.ts'
import type { App } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { TaskResponse } from '../tasks/index.ts'
import {
  AddObjectsBody,
  BatchHealth,
  BatchLogsResponse,
  BatchModel,
  CreateBatchBody,
  FailedDocumentsResponse,
  ListBatchesBody,
  ListBatchesResponse,
  PatchBatchBody,
  RetryBatchBody,
  RetryBatchResponse,
  RetryVectorWriteResponse,
  SubmitBatchBody,
} from './schemas.ts'
import type { BatchService } from './service.ts'

const BucketParams = Type.Object({ bucket_identifier: Type.String() })
const Params = Type.Object({ bucket_identifier: Type.String(), batch_id: Type.String() })
const SkipValidation = Type.Object({ skip_validation: Type.Optional(Nullable(Type.Boolean())) })
const TierParams = Type.Object({
  bucket_identifier: Type.String(),
  batch_id: Type.String(),
  tier_num: Type.Integer(),
})
const LogQuery = Type.Object({ tier_num: optional(Type.Integer()) })
const FailureQuery = Type.Object({
  tier_num: Type.Optional(Nullable(Type.Integer())),
  collection_id: Type.Optional(Nullable(Type.String())),
})

const PAGING = { limit_default: 100, limit_max: 1000, offset_max: Number.MAX_SAFE_INTEGER }
const LIST = '/buckets/:bucket_identifier/batches'
const ITEM = `${LIST}/:batch_id`
const ID = 'v1_buckets__bucket_identifier__batches'

export async function batchRoutes(app: App, { batches }: { batches: BatchService }) {
  app.post(
    LIST,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `create_batch_${ID}_post`,
        params: BucketParams,
        querystring: SkipValidation,
        body: CreateBatchBody,
        response: { 200: BatchModel, ...errorResponses },
      },
    },
    ({ scope, params, body, query }) =>
      batches.create(scope, params.bucket_identifier, body, {
        skip_validation: query.skip_validation ?? false,
      }),
  )
  app.post(
    `${LIST}/list`,
    {
      config: { permission: 'read', paging: PAGING },
      schema: {
        operationId: `list_batches_${ID}_list_post`,
        params: BucketParams,
        body: ListBatchesBody,
        response: { 200: ListBatchesResponse, ...errorResponses },
      },
    },
    ({ scope, params, body, page }) => batches.list(scope, params.bucket_identifier, body, page),
  )
  app.get(
    ITEM,
    {
      config: { permission: 'read' },
      schema: {
        operationId: `get_batch_${ID}__batch_id__get`,
        params: Params,
        response: { 200: BatchModel, ...errorResponses },
      },
    },
    ({ scope, params }) => batches.get(scope, params),
  )
  app.get(
    '/batches/:batch_id',
    {
      config: { permission: 'read', hidden: true },
      schema: {
        params: Type.Object({ batch_id: Type.String() }),
        response: { 200: BatchModel, ...errorResponses },
      },
    },
    ({ scope, params }) => batches.get(scope, params),
  )
  app.patch(
    ITEM,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `patch_batch_${ID}__batch_id__patch`,
        params: Params,
        body: PatchBatchBody,
        response: { 200: BatchModel, ...errorResponses },
      },
    },
    ({ scope, params, body }) => batches.patch(scope, params, body),
  )
  app.delete(
    ITEM,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: `delete_batch_${ID}__batch_id__delete`,
        params: Params,
        response: { 200: GenericDeleteResponse, ...errorResponses },
      },
    },
    async ({ scope, params }) => {
      await batches.delete(scope, params)
      return { message: 'Successfully deleted', success: true }
    },
  )
  await app.register(runRoutes, { batches })
}

/** Operations that start, stop and follow the run of a batch. */
async function runRoutes(app: App, { batches }: { batches: BatchService }) {
  app.post(
    `${ITEM}/objects`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `add_objects_to_batch_${ID}__batch_id__objects_post`,
        params: Params,
        querystring: SkipValidation,
        body: AddObjectsBody,
        response: { 200: BatchModel, ...errorResponses },
      },
    },
    ({ scope, params, body, query }) =>
      batches.add(scope, params, body.object_ids, { skip_validation: query.skip_validation ?? false }),
  )
  app.post(
    `${ITEM}/submit`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `submit_batch_${ID}__batch_id__submit_post`,
        params: Params,
        body: SubmitBatchBody,
        response: { 200: TaskResponse, ...errorResponses },
      },
    },
    ({ scope, params, body, id }) => batches.submit(scope, params, { ...body, request_id: id }),
  )
  app.post(
    `${ITEM}/cancel`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `cancel_batch_${ID}__batch_id__cancel_post`,
        params: Params,
        response: { 200: TaskResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => batches.cancel(scope, params),
  )
  app.get(
    `${ITEM}/failed-documents`,
    {
      config: { permission: 'read', paging: PAGING },
      schema: {
        operationId: `get_failed_documents_${ID}__batch_id__failed_documents_get`,
        params: Params,
        querystring: FailureQuery,
        response: { 200: FailedDocumentsResponse, ...errorResponses },
      },
    },
    ({ scope, params, query, page }) => batches.failedDocuments(scope, params, query, page),
  )
  app.get(
    `${ITEM}/logs`,
    {
      config: { permission: 'read' },
      schema: {
        operationId: `get_batch_logs_${ID}__batch_id__logs_get`,
        params: Params,
        querystring: LogQuery,
        response: { 200: BatchLogsResponse, ...errorResponses },
      },
    },
    ({ scope, params, query }) => batches.logs(scope, params, query.tier_num ?? null),
  )
  app.get(
    `${ITEM}/health`,
    {
      config: { permission: 'read' },
      schema: {
        operationId: `get_batch_health_${ID}__batch_id__health_get`,
        params: Params,
        response: { 200: BatchHealth, ...errorResponses },
      },
    },
    ({ scope, params }) => batches.health(scope, params),
  )
  app.post(
    `${ITEM}/tiers/:tier_num/retry-qdrant-write`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `retry_qdrant_write_${ID}__batch_id__tiers__tier_num__retry_qdrant_write_post`,
        params: TierParams,
        response: { 200: RetryVectorWriteResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => batches.retryVectorWrite(scope, params, params.tier_num),
  )
  app.post(
    `${ITEM}/retry`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: `retry_batch_${ID}__batch_id__retry_post`,
        params: Params,
        body: RetryBatchBody,
        response: { 200: RetryBatchResponse, ...errorResponses },
      },
    },
    ({ scope, params, body }) => batches.retry(scope, params, body),
  )
}

import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import type { App } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { sendJson } from '../../http/send-json.ts'
import { normalizeBucket } from './normalize.ts'
import {
  BucketResponse,
  CreateBucketBody,
  DeleteBucketResponse,
  ListBucketsBody,
  ListBucketsResponse,
  PatchBucketBody,
  UpdateBucketBody,
} from './schemas.ts'
import type { BucketService } from './service.ts'

const Params = Type.Object({ bucket_identifier: Type.String() })
const ITEM = '/buckets/:bucket_identifier'

/** As upstream, `offset` has no bound here. */
const PAGING = { ...PAGE_BOUNDS, offset_max: Number.MAX_SAFE_INTEGER }

export async function bucketRoutes(app: App, { buckets }: { buckets: BucketService }) {
  app.post(
    '/buckets',
    {
      config: { permission: 'write', normalize: normalizeBucket },
      schema: {
        operationId: 'create_bucket_v1_buckets_post',
        body: CreateBucketBody,
        response: { 200: BucketResponse, ...errorResponses },
      },
    },
    async ({ scope, caller, body }, reply) => sendJson(reply, await buckets.create(scope, caller, body)),
  )
  app.post(
    '/buckets/list',
    {
      config: { permission: 'read', paging: PAGING },
      schema: {
        operationId: 'list_buckets_v1_buckets_list_post',
        body: ListBucketsBody,
        response: { 200: ListBucketsResponse, ...errorResponses },
      },
    },
    async ({ scope, body, page }, reply) => {
      // Paging was read into `page`; a cursor belongs to what is asked for, not to how much of it.
      const { limit: _limit, offset: _offset, ...query } = body
      return sendJson(reply, await buckets.list(scope, query, page))
    },
  )
  app.get(
    '/buckets',
    {
      config: { permission: 'read', paging: PAGING, hidden: true },
      schema: { response: { 200: ListBucketsResponse, ...errorResponses } },
    },
    async ({ scope, page }, reply) =>
      sendJson(reply, await buckets.list(scope, { case_sensitive: false }, page)),
  )
  app.get(
    ITEM,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_bucket_v1_buckets__bucket_identifier__get',
        params: Params,
        response: { 200: BucketResponse, ...errorResponses },
      },
    },
    async ({ scope, params }, reply) => sendJson(reply, await buckets.get(scope, params.bucket_identifier)),
  )
  app.put(
    ITEM,
    {
      config: { permission: 'write', normalize: normalizeBucket },
      schema: {
        operationId: 'update_bucket_v1_buckets__bucket_identifier__put',
        params: Params,
        body: UpdateBucketBody,
        response: { 200: BucketResponse, ...errorResponses },
      },
    },
    async ({ scope, params, body }, reply) =>
      sendJson(reply, await buckets.replace(scope, params.bucket_identifier, body)),
  )
  app.patch(
    ITEM,
    {
      config: { permission: 'write', normalize: normalizeBucket },
      schema: {
        operationId: 'patch_bucket_v1_buckets__bucket_identifier__patch',
        params: Params,
        body: PatchBucketBody,
        response: { 200: BucketResponse, ...errorResponses },
      },
    },
    async ({ scope, caller, params, body }, reply) =>
      sendJson(reply, await buckets.update(scope, caller, params.bucket_identifier, body)),
  )
  app.delete(
    ITEM,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: 'delete_bucket_v1_buckets__bucket_identifier__delete',
        params: Params,
        response: { 200: DeleteBucketResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => buckets.delete(scope, params.bucket_identifier),
  )
}

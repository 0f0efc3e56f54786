import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { isObject } from '../../../core/json.ts'
import { PAGE_BOUNDS } from '../../../core/pagination.ts'
import { Defaulted, optional } from '../../../core/schema.ts'
import type { App } from '../../../http/app.ts'
import { baseUrl } from '../../../http/base-url.ts'
import { errorResponses } from '../../../http/error-handler.ts'
import {
  ConfirmUploadBody,
  ConfirmUploadResponse,
  ConfirmUploadsBody,
  ConfirmUploadsResponse,
  CreateUploadBody,
  CreateUploadsBody,
  CreateUploadsResponse,
  ListUploadsBody,
  ListUploadsResponse,
  Policy,
  UploadResponse,
} from '../schemas.ts'
import type { UploadService } from '../service.ts'

const BucketParams = Type.Object({ bucket_identifier: Type.String() })
const UploadParams = Type.Object({ bucket_identifier: Type.String(), upload_id: Type.String() })
const CreateQuery = Type.Object({ policy: optional(Policy) })
const PresignQuery = Type.Object({ return_presigned_urls: Defaulted(Type.Boolean(), false) })
const UPLOADS = '/buckets/:bucket_identifier/uploads'
const UPLOAD = `${UPLOADS}/:upload_id`

/** The body allows 100 rows a page, the query 1000 (contract, pagination). */
const LIST_BOUNDS = { ...PAGE_BOUNDS, limit_default: 20, body_limit_max: 100 }

type Services = { uploads: UploadService; config: { public_url?: string | undefined } }

/** The operations of the contract. */
export async function uploadRoutes(app: App, { uploads, config }: Services) {
  createRoutes(app, { uploads, config })
  confirmRoutes(app, uploads)
  const presignBase = (request: FastifyRequest, isAsked: boolean) => ({
    presign_base: isAsked ? baseUrl(request, config) : null,
  })
  app.post(
    `${UPLOADS}/list`,
    {
      config: { permission: 'read', paging: LIST_BOUNDS },
      schema: {
        operationId: 'list_uploads_v1_buckets__bucket_identifier__uploads_list_post',
        params: BucketParams,
        body: ListUploadsBody,
        response: { 200: ListUploadsResponse, ...errorResponses },
      },
    },
    (request) => {
      const { scope, params, body, page } = request
      const presign = presignBase(request, body.return_presigned_urls)
      return uploads.list(scope, params.bucket_identifier, { body, page, ...presign })
    },
  )
  app.get(
    UPLOAD,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_upload_v1_buckets__bucket_identifier__uploads__upload_id__get',
        params: UploadParams,
        querystring: PresignQuery,
        response: { 200: UploadResponse, ...errorResponses },
      },
    },
    (request) => {
      const { bucket_identifier, upload_id } = request.params
      const presign = presignBase(request, request.query.return_presigned_urls)
      return uploads.get(request.scope, bucket_identifier, upload_id, presign)
    },
  )
  app.delete(
    UPLOAD,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: 'delete_upload_v1_buckets__bucket_identifier__uploads__upload_id__delete',
        params: UploadParams,
        // Taken and not needed: bytes that no upload names are removed in any case.
        querystring: Type.Object({ delete_s3_object: Defaulted(Type.Boolean(), true) }),
        response: { 204: Type.Null(), ...errorResponses },
      },
    },
    async (request, reply) => {
      const { bucket_identifier, upload_id } = request.params
      await uploads.delete(request.scope, bucket_identifier, upload_id)
      return reply.code(204).send(null)
    },
  )
}

function createRoutes(app: App, { uploads, config }: Services) {
  app.post(
    UPLOADS,
    {
      config: { permission: 'write' },
      schema: {
        operationId: 'create_upload_v1_buckets__bucket_identifier__uploads_post',
        params: BucketParams,
        querystring: CreateQuery,
        body: CreateUploadBody,
        response: { 200: UploadResponse, ...errorResponses },
      },
    },
    (request) => {
      const { scope, params, body, query } = request
      const options = { policy: query.policy ?? null, base_url: baseUrl(request, config) }
      return uploads.create(scope, params.bucket_identifier, body, options)
    },
  )
  app.post(
    `${UPLOADS}/batch`,
    {
      config: { permission: 'write' },
      schema: {
        operationId: 'create_uploads_batch_v1_buckets__bucket_identifier__uploads_batch_post',
        params: BucketParams,
        querystring: CreateQuery,
        body: CreateUploadsBody,
        response: { 200: CreateUploadsResponse, ...errorResponses },
      },
    },
    (request) => {
      const { scope, params, body, query } = request
      const options = { policy: query.policy ?? null, base_url: baseUrl(request, config) }
      return uploads.createBatch(scope, params.bucket_identifier, body, options)
    },
  )
}

function confirmRoutes(app: App, uploads: UploadService) {
  app.post(
    `${UPLOAD}/confirm`,
    {
      config: { permission: 'write', normalize: normalizeConfirmation },
      schema: {
        operationId: 'confirm_upload_v1_buckets__bucket_identifier__uploads__upload_id__confirm_post',
        params: UploadParams,
        querystring: Type.Object({ async: Defaulted(Type.Boolean(), false) }),
        body: ConfirmUploadBody,
        response: { 200: ConfirmUploadResponse, ...errorResponses },
      },
    },
    (request) => {
      const { bucket_identifier, upload_id } = request.params
      return uploads.confirm(request.scope, bucket_identifier, upload_id, request.body, request.query)
    },
  )
  app.post(
    `${UPLOADS}/confirm/batch`,
    {
      config: { permission: 'write', normalize: normalizeConfirmations },
      schema: {
        operationId: 'confirm_uploads_batch_v1_buckets__bucket_identifier__uploads_confirm_batch_post',
        params: BucketParams,
        body: ConfirmUploadsBody,
        response: { 200: ConfirmUploadsResponse, ...errorResponses },
      },
    },
    (request) => uploads.confirmBatch(request.scope, request.params.bucket_identifier, request.body),
  )
}

/** Some clients say `file_size`. */
function normalizeConfirmation(body: unknown): unknown {
  if (!isObject(body) || body.file_size === undefined) return body
  const { file_size, ...rest } = body
  return { file_size_bytes: file_size, ...rest }
}

function normalizeConfirmations(body: unknown): unknown {
  if (!isObject(body) || !Array.isArray(body.confirmations)) return body
  return { ...body, confirmations: body.confirmations.map(normalizeConfirmation) }
}

import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import { Defaulted } from '../../core/schema.ts'
import type { App } from '../../http/app.ts'
import { baseUrl } from '../../http/base-url.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { whileConnected } from '../../http/while-connected.ts'
import { normalizeObject, normalizeObjects } from './normalize.ts'
import {
  AggregateObjectsBody,
  AggregateObjectsResponse,
  type CreateObjectBody,
  CreateObjectBody as CreateObjectSchema,
  CreateObjectsBatchBody,
  CreateObjectsBatchResponse,
  ListObjectsBody,
  ListObjectsQuery,
  ListObjectsResponse,
  ObjectResponse,
  PatchObjectBody,
  PresignQuery,
  UpdateObjectBody,
  WriteQuery,
} from './schemas.ts'
import type { ObjectService } from './service.ts'

const BucketParams = Type.Object({ bucket_identifier: Type.String() })
const ObjectParams = Type.Object({ bucket_identifier: Type.String(), object_identifier: Type.String() })
const OBJECTS = '/buckets/:bucket_identifier/objects'
const OBJECT = `${OBJECTS}/:object_identifier`

type Services = { objects: ObjectService; config: { public_url?: string | undefined } }

export async function objectRoutes(app: App, { objects, config }: Services) {
  const presignBase = (request: FastifyRequest) => {
    const { return_presigned_urls, return_url } = request.query as Type.Static<typeof PresignQuery>
    return return_presigned_urls || return_url ? baseUrl(request, config) : null
  }
  writeRoutes(app, objects)
  app.post(
    `${OBJECTS}/list`,
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_objects_v1_buckets__bucket_identifier__objects_list_post',
        params: BucketParams,
        querystring: ListObjectsQuery,
        body: ListObjectsBody,
        response: { 200: ListObjectsResponse, ...errorResponses },
      },
    },
    (request, reply) => {
      const { scope, params, body, query, page } = request
      const presign_base = presignBase(request)
      const list = { body, query, page, presign_base, ...whileConnected(reply) }
      return objects.list(scope, params.bucket_identifier, list)
    },
  )
  app.post(
    `${OBJECTS}/aggregate`,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'aggregate_objects_v1_buckets__bucket_identifier__objects_aggregate_post',
        params: BucketParams,
        body: AggregateObjectsBody,
        response: { 200: AggregateObjectsResponse, ...errorResponses },
      },
    },
    (request, reply) =>
      objects.aggregate(request.scope, request.params.bucket_identifier, request.body, whileConnected(reply)),
  )
  app.get(
    OBJECT,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_object_v1_buckets__bucket_identifier__objects__object_identifier__get',
        params: ObjectParams,
        querystring: PresignQuery,
        response: { 200: ObjectResponse, ...errorResponses },
      },
    },
    (request) => {
      const { bucket_identifier, object_identifier } = request.params
      return objects.get(request.scope, bucket_identifier, object_identifier, {
        presign_base: presignBase(request),
      })
    },
  )
}

function writeRoutes(app: App, objects: ObjectService) {
  app.post(
    OBJECTS,
    {
      config: { permission: 'write', normalize: normalizeObject },
      schema: {
        operationId: 'create_object_v1_buckets__bucket_identifier__objects_post',
        params: BucketParams,
        querystring: WriteQuery,
        body: CreateObjectSchema,
        response: { 200: ObjectResponse, ...errorResponses },
      },
    },
    (request, reply) =>
      objects.create(
        request.scope,
        request.params.bucket_identifier,
        request.body as CreateObjectBody,
        request.query,
        whileConnected(reply),
      ),
  )
  app.post(
    `${OBJECTS}/batch`,
    {
      config: { permission: 'write', normalize: normalizeObjects },
      schema: {
        operationId: 'create_objects_batch_v1_buckets__bucket_identifier__objects_batch_post',
        params: BucketParams,
        querystring: WriteQuery,
        body: CreateObjectsBatchBody,
        response: { 200: CreateObjectsBatchResponse, ...errorResponses },
      },
    },
    (request, reply) =>
      objects.createBatch(
        request.scope,
        request.params.bucket_identifier,
        request.body,
        request.query,
        whileConnected(reply),
      ),
  )
  for (const [method, body, operationId] of [
    ['PUT', UpdateObjectBody, 'update_object_v1_buckets__bucket_identifier__objects__object_identifier__put'],
    [
      'PATCH',
      PatchObjectBody,
      'patch_object_v1_buckets__bucket_identifier__objects__object_identifier__patch',
    ],
  ] as const) {
    app.route({
      method,
      url: OBJECT,
      config: { permission: 'write', normalize: normalizeObject },
      schema: {
        operationId,
        params: ObjectParams,
        body,
        response: { 200: ObjectResponse, ...errorResponses },
      },
      handler: (request, reply) => {
        const { bucket_identifier, object_identifier } = request.params
        return objects.update(
          request.scope,
          bucket_identifier,
          object_identifier,
          request.body as CreateObjectBody,
          {
            null_removes: method === 'PATCH',
            ...whileConnected(reply),
          },
        )
      },
    })
  }
  app.delete(
    OBJECT,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: 'delete_object_v1_buckets__bucket_identifier__objects__object_identifier__delete',
        params: ObjectParams,
        querystring: Type.Object({ cascade: Defaulted(Type.Boolean(), false) }),
        response: { 204: Type.Null(), ...errorResponses },
      },
    },
    async (request, reply) => {
      const { bucket_identifier, object_identifier } = request.params
      await objects.delete(request.scope, bucket_identifier, object_identifier, request.query)
      return reply.code(204).send(null)
    },
  )
}

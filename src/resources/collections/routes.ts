import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import type { App } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { FeatureExtractorDescription } from './catalogue-schemas.ts'
import { normalizeCollection } from './normalize.ts'
import {
  CollectionFeatures,
  CollectionResponse,
  CreateCollectionBody,
  DeleteCollectionResponse,
  ListCollectionsBody,
  ListCollectionsResponse,
  UpdateCollectionBody,
} from './schemas.ts'
import type { CollectionService } from './service.ts'

const Params = Type.Object({ collection_identifier: Type.String() })
const ITEM = '/collections/:collection_identifier'

export async function collectionRoutes(app: App, { collections }: { collections: CollectionService }) {
  catalogueRoutes(app, collections)
  app.post(
    '/collections',
    {
      config: { permission: 'write', normalize: normalizeCollection },
      schema: {
        operationId: 'create_collection_v1_collections_post',
        body: CreateCollectionBody,
        response: { 200: CollectionResponse, ...errorResponses },
      },
    },
    (request) => collections.create(request.scope, request.body),
  )
  app.post(
    '/collections/list',
    {
      config: { permission: 'read', paging: PAGE_BOUNDS },
      schema: {
        operationId: 'list_collections_v1_collections_list_post',
        body: ListCollectionsBody,
        response: { 200: ListCollectionsResponse, ...errorResponses },
      },
    },
    (request) => collections.list(request.scope, request.body, request.page),
  )
  app.get(
    ITEM,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'get_collection_v1_collections__collection_identifier__get',
        params: Params,
        response: { 200: CollectionResponse, ...errorResponses },
      },
    },
    (request) => collections.get(request.scope, request.params.collection_identifier),
  )
  app.patch(
    ITEM,
    {
      config: { permission: 'write', normalize: normalizeCollection },
      schema: {
        operationId: 'update_collection_v1_collections__collection_identifier__patch',
        params: Params,
        body: UpdateCollectionBody,
        response: { 200: CollectionResponse, ...errorResponses },
      },
    },
    (request) => collections.update(request.scope, request.params.collection_identifier, request.body),
  )
  app.delete(
    ITEM,
    {
      config: { permission: 'delete' },
      schema: {
        operationId: 'delete_collection_v1_collections__collection_identifier__delete',
        params: Params,
        response: { 200: DeleteCollectionResponse, ...errorResponses },
      },
    },
    (request) => collections.delete(request.scope, request.params.collection_identifier),
  )
  app.get(
    `${ITEM}/features`,
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'describe_collection_features_route_v1_collections__collection_identifier__features_get',
        params: Params,
        response: { 200: CollectionFeatures, ...errorResponses },
      },
    },
    (request) => collections.features(request.scope, request.params.collection_identifier),
  )
}

/** What this server can extract; public, as forms are built from it before anybody has a key. */
function catalogueRoutes(app: App, collections: CollectionService) {
  app.get(
    '/collections/features/extractors',
    {
      schema: {
        operationId: 'list_feature_extractors_v1_collections_features_extractors_get',
        response: { 200: Type.Array(FeatureExtractorDescription), ...errorResponses },
      },
    },
    async () => collections.listExtractors(),
  )
  app.get(
    '/collections/features/extractors/:feature_extractor_id',
    {
      schema: {
        operationId:
          'get_feature_extractor_by_id_v1_collections_features_extractors__feature_extractor_id__get',
        params: Type.Object({ feature_extractor_id: Type.String() }),
        response: { 200: FeatureExtractorDescription, ...errorResponses },
      },
    },
    async (request) => collections.getExtractor(request.params.feature_extractor_id),
  )
}

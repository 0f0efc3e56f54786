import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import { Defaulted, Nullable } from '../../core/schema.ts'
import type { App, RouteConfig } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { normalizeNamespace } from './normalize.ts'
import {
  CloneNamespaceBody,
  CloneNamespaceResponse,
  CreateNamespaceBody,
  DeleteNamespaceResponse,
  ListNamespacesBody,
  ListNamespacesResponse,
  NamespaceModel,
  PatchNamespaceBody,
  UnifiedExtractor,
  UnifiedExtractorList,
  UpdateNamespaceBody,
} from './schemas.ts'
import type { NamespaceService } from './service.ts'

const Params = Type.Object({ namespace_identifier: Type.String() })
const ITEM = '/namespaces/:namespace_identifier'

const ofOrganization = (permission: RouteConfig['permission'], rest: RouteConfig = {}): RouteConfig => ({
  ...rest,
  permission,
  scope: 'organization',
})

export async function namespaceRoutes(app: App, { namespaces }: { namespaces: NamespaceService }) {
  extractorRoutes(app, namespaces)
  app.post(
    '/namespaces',
    {
      config: ofOrganization('write', { normalize: normalizeNamespace }),
      schema: {
        operationId: 'create_namespace_v1_namespaces_post',
        body: CreateNamespaceBody,
        response: { 200: NamespaceModel, ...errorResponses },
      },
    },
    ({ scope, body }) => namespaces.create(scope, body),
  )
  app.post(
    '/namespaces/list',
    {
      config: ofOrganization('read', { paging: PAGE_BOUNDS }),
      schema: {
        operationId: 'list_namespaces_v1_namespaces_list_post',
        body: ListNamespacesBody,
        response: { 200: ListNamespacesResponse, ...errorResponses },
      },
    },
    ({ scope, body, page }) => namespaces.list(scope, body, page),
  )
  app.get(
    '/namespaces',
    {
      config: ofOrganization('read', { paging: PAGE_BOUNDS, hidden: true }),
      schema: { response: { 200: ListNamespacesResponse, ...errorResponses } },
    },
    ({ scope, page }) => namespaces.list(scope, { case_sensitive: false }, page),
  )
  app.get(
    ITEM,
    {
      config: ofOrganization('read'),
      schema: {
        operationId: 'get_namespace_v1_namespaces__namespace_identifier__get',
        params: Params,
        response: { 200: NamespaceModel, ...errorResponses },
      },
    },
    ({ scope, params }) => namespaces.get(scope, params.namespace_identifier),
  )
  app.put(
    ITEM,
    {
      config: ofOrganization('write', { normalize: normalizeNamespace }),
      schema: {
        operationId: 'update_namespace_v1_namespaces__namespace_identifier__put',
        params: Params,
        body: UpdateNamespaceBody,
        response: { 200: NamespaceModel, ...errorResponses },
      },
    },
    ({ scope, params, body }) => namespaces.replace(scope, params.namespace_identifier, body),
  )
  app.patch(
    ITEM,
    {
      config: ofOrganization('write', { normalize: normalizeNamespace }),
      schema: {
        operationId: 'patch_namespace_v1_namespaces__namespace_identifier__patch',
        params: Params,
        body: PatchNamespaceBody,
        response: { 200: NamespaceModel, ...errorResponses },
      },
    },
    ({ scope, params, body }) => namespaces.update(scope, params.namespace_identifier, body),
  )
  app.post(
    `${ITEM}/clone`,
    {
      config: ofOrganization('write', { normalize: normalizeNamespace }),
      schema: {
        operationId: 'clone_namespace_v1_namespaces__namespace_identifier__clone_post',
        params: Params,
        body: CloneNamespaceBody,
        response: { 200: CloneNamespaceResponse, ...errorResponses },
      },
    },
    ({ scope, params, body }) => namespaces.clone(scope, params.namespace_identifier, body),
  )
  app.delete(
    ITEM,
    {
      // Everything inside goes with it, so it takes an administrator.
      config: ofOrganization('admin'),
      schema: {
        operationId: 'delete_namespace_v1_namespaces__namespace_identifier__delete',
        params: Params,
        response: { 200: DeleteNamespaceResponse, ...errorResponses },
      },
    },
    ({ scope, params }) => namespaces.delete(scope, params.namespace_identifier),
  )
}

function extractorRoutes(app: App, namespaces: NamespaceService) {
  app.get(
    `${ITEM}/extractors`,
    {
      config: ofOrganization('read'),
      schema: {
        operationId: 'list_extractors_v1_namespaces__namespace_id__extractors_get',
        params: Params,
        querystring: Type.Object({
          source: Type.Optional(Nullable(Type.Enum(['builtin', 'custom', 'all']))),
          include_disabled: Defaulted(Type.Boolean(), false),
        }),
        response: { 200: UnifiedExtractorList, ...errorResponses },
      },
    },
    ({ scope, params, query }) =>
      namespaces.listExtractors(scope, params.namespace_identifier, query.source ?? 'all'),
  )
  app.get(
    `${ITEM}/extractors/:extractor_id`,
    {
      config: ofOrganization('read'),
      schema: {
        operationId: 'get_extractor_v1_namespaces__namespace_id__extractors__extractor_id__get',
        params: Type.Object({ namespace_identifier: Type.String(), extractor_id: Type.String() }),
        response: { 200: UnifiedExtractor, ...errorResponses },
      },
    },
    ({ scope, params }) => namespaces.getExtractor(scope, params.namespace_identifier, params.extractor_id),
  )
}

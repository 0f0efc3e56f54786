import Type from 'typebox'
import { PAGE_BOUNDS } from '../../core/pagination.ts'
import type { App, RouteConfig } from '../../http/app.ts'
import { errorResponses } from '../../http/error-handler.ts'
import { whileConnected } from '../../http/while-connected.ts'
import type { WebhookServices } from './create-services.ts'
import {
  Delivery,
  DeliveryDetail,
  ListDeliveriesQuery,
  ListDeliveriesResponse,
  ReplayBody,
  ReplayResponse,
  TestWebhookBody,
  TestWebhookResponse,
} from './delivery-schemas.ts'
import { normalizePatch, normalizeWebhook } from './normalize.ts'
import {
  ListWebhooksBody,
  ListWebhooksResponse,
  PatchWebhookBody,
  RotateSecretBody,
  RotateSecretResponse,
  Webhook,
  WebhookBody,
} from './schemas.ts'

const WEBHOOKS = '/organizations/webhooks'
const WEBHOOK = `${WEBHOOKS}/:identifier`
const DELIVERY = `${WEBHOOK}/deliveries/:delivery_id`

const Params = Type.Object({ identifier: Type.String() })
const DeliveryParams = Type.Object({ identifier: Type.String(), delivery_id: Type.String() })
const tags = ['webhooks']

const forAdmins = (rest: RouteConfig = {}): RouteConfig => ({
  ...rest,
  permission: 'admin',
  scope: 'organization',
})

export async function webhookRoutes(app: App, { webhookServices }: { webhookServices: WebhookServices }) {
  configurationRoutes(app, webhookServices)
  changeRoutes(app, webhookServices)
  deliveryRoutes(app, webhookServices)
}

function configurationRoutes(app: App, { webhooks }: WebhookServices) {
  app.post(
    WEBHOOKS,
    {
      config: forAdmins({ normalize: normalizeWebhook }),
      schema: {
        operationId: 'create_webhook_v1_organizations_webhooks__post',
        tags,
        body: WebhookBody,
        response: { 201: Webhook, ...errorResponses },
      },
    },
    async ({ scope, body }, reply) => reply.code(201).send(await webhooks.create(scope, body)),
  )
  app.post(
    `${WEBHOOKS}/list`,
    {
      config: forAdmins({ paging: PAGE_BOUNDS }),
      schema: {
        operationId: 'list_webhooks_v1_organizations_webhooks_list_post',
        tags,
        body: ListWebhooksBody,
        response: { 200: ListWebhooksResponse, ...errorResponses },
      },
    },
    ({ scope, body, page }) => webhooks.list(scope, body, page),
  )
  app.get(
    WEBHOOKS,
    {
      config: forAdmins({ paging: PAGE_BOUNDS, hidden: true }),
      schema: { response: { 200: ListWebhooksResponse, ...errorResponses } },
    },
    ({ scope, page }) => webhooks.list(scope, { case_sensitive: false }, page),
  )
  app.get(
    WEBHOOK,
    {
      config: forAdmins(),
      schema: {
        operationId: 'get_webhook_v1_organizations_webhooks__identifier__get',
        tags,
        params: Params,
        response: { 200: Webhook, ...errorResponses },
      },
    },
    ({ scope, params }) => webhooks.get(scope, params.identifier),
  )
}

function changeRoutes(app: App, { webhooks }: WebhookServices) {
  app.put(
    WEBHOOK,
    {
      config: forAdmins({ normalize: normalizeWebhook }),
      schema: {
        operationId: 'update_webhook_v1_organizations_webhooks__identifier__put',
        tags,
        params: Params,
        body: WebhookBody,
        response: { 200: Webhook, ...errorResponses },
      },
    },
    ({ scope, params, body }) => webhooks.replace(scope, params.identifier, body),
  )
  app.patch(
    WEBHOOK,
    {
      config: forAdmins({ normalize: normalizePatch }),
      schema: {
        operationId: 'patch_webhook_v1_organizations_webhooks__identifier__patch',
        tags,
        params: Params,
        body: PatchWebhookBody,
        response: { 200: Webhook, ...errorResponses },
      },
    },
    ({ scope, params, body }) => webhooks.update(scope, params.identifier, body),
  )
  app.delete(
    WEBHOOK,
    {
      config: forAdmins(),
      schema: {
        operationId: 'delete_webhook_v1_organizations_webhooks__identifier__delete',
        tags,
        params: Params,
        response: { 204: Type.Null(), ...errorResponses },
      },
    },
    async ({ scope, params }, reply) => {
      await webhooks.delete(scope, params.identifier)
      return reply.code(204).send(null)
    },
  )
  app.post(
    `${WEBHOOK}/rotate-secret`,
    {
      config: forAdmins(),
      schema: {
        operationId: 'rotate_webhook_secret_v1_organizations_webhooks__identifier__rotate_secret_post',
        tags,
        params: Params,
        body: RotateSecretBody,
        response: { 200: RotateSecretResponse, ...errorResponses },
      },
    },
    ({ scope, params, body }) => webhooks.rotateSecret(scope, params.identifier, body),
  )
}

function deliveryRoutes(app: App, { deliveries }: WebhookServices) {
  app.get(
    `${WEBHOOK}/deliveries`,
    {
      config: forAdmins({ paging: PAGE_BOUNDS }),
      schema: {
        operationId: 'list_webhook_deliveries_v1_organizations_webhooks__identifier__deliveries_get',
        tags,
        params: Params,
        querystring: ListDeliveriesQuery,
        response: { 200: ListDeliveriesResponse, ...errorResponses },
      },
    },
    ({ scope, params, query, page }) => deliveries.list(scope, params.identifier, query, page),
  )
  app.get(
    DELIVERY,
    {
      config: forAdmins(),
      schema: {
        operationId:
          'get_webhook_delivery_v1_organizations_webhooks__identifier__deliveries__delivery_id__get',
        tags,
        params: DeliveryParams,
        response: { 200: DeliveryDetail, ...errorResponses },
      },
    },
    ({ scope, params }) => deliveries.get(scope, params.identifier, params.delivery_id),
  )
  app.post(
    `${WEBHOOK}/test`,
    {
      config: forAdmins(),
      schema: {
        operationId: 'test_webhook_v1_organizations_webhooks__identifier__test_post',
        tags,
        params: Params,
        body: TestWebhookBody,
        response: { 200: TestWebhookResponse, ...errorResponses },
      },
    },
    ({ scope, params, body }, reply) =>
      deliveries.test(scope, params.identifier, body, whileConnected(reply).signal),
  )
  app.post(
    `${DELIVERY}/replay`,
    {
      config: forAdmins(),
      schema: {
        operationId:
          'replay_webhook_delivery_v1_organizations_webhooks__identifier__deliveries__delivery_id__replay_post',
        tags,
        params: DeliveryParams,
        response: { 200: Delivery, ...errorResponses },
      },
    },
    ({ scope, params }) => deliveries.replay(scope, params.identifier, params.delivery_id),
  )
  app.post(
    `${WEBHOOK}/replay`,
    {
      config: forAdmins(),
      schema: {
        operationId: 'replay_webhook_v1_organizations_webhooks__identifier__replay_post',
        tags,
        params: Params,
        body: ReplayBody,
        response: { 200: ReplayResponse, ...errorResponses },
      },
    },
    ({ scope, params, body }) => deliveries.replayRange(scope, params.identifier, body),
  )
}

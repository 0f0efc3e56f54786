export {
  createSender,
  createWebhookServices,
  type WebhookServices,
  type WebhookSettings,
} from './create-services.ts'
export { deliverWebhooksJob } from './jobs.ts'
export { purgeDeliveries } from './purge.ts'
export { webhookRoutes } from './routes.ts'

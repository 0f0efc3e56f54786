import type { Db } from '../../platform/db/db.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import type { SecretBox } from '../../platform/secrets/secret-box.ts'
import type { Sender } from './attempt.ts'
import { WebhookDeliveryService } from './delivery-service.ts'
import { WebhookService } from './service.ts'

export type WebhookSettings = {
  webhook_allow_http: boolean
  smtp_url?: string | undefined
  smtp_from: string
}

/** What sends messages, as the operator has set it. */
export function createSender(http: HttpClient, settings: WebhookSettings): Sender {
  const { smtp_url, smtp_from, webhook_allow_http } = settings
  return {
    http,
    allows_http: webhook_allow_http,
    smtp: smtp_url ? { url: smtp_url, from: smtp_from } : null,
  }
}

type Deps = { db: Db; queue: JobQueue; secrets: SecretBox; http: HttpClient; config: WebhookSettings }

/** Puts the parts of the resource together. */
export function createWebhookServices({ db, queue, secrets, http, config }: Deps) {
  const sender = createSender(http, config)
  const { allows_http, smtp } = sender
  const webhooks = new WebhookService({ db, secrets, rules: { http, allows_http, has_email: smtp !== null } })
  return { webhooks, deliveries: new WebhookDeliveryService({ db, queue, webhooks, sender }) }
}

export type WebhookServices = ReturnType<typeof createWebhookServices>

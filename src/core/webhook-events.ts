/** What webhooks can be told of (contract, webhooks). */
export const WEBHOOK_EVENT_TYPES = [
  'object.created',
  'objects.created.batch',
  'object.updated',
  'object.deleted',
  'collection.created',
  'collection.updated',
  'collection.deleted',
  'collection.documents.written',
  'cluster.created',
  'cluster.updated',
  'cluster.deleted',
  'cluster.execution.started',
  'cluster.execution.completed',
  'cluster.execution.failed',
  'trigger.created',
  'trigger.updated',
  'trigger.deleted',
  'trigger.paused',
  'trigger.resumed',
  'trigger.fired',
  'trigger.execution.completed',
  'trigger.execution.failed',
  'taxonomy.created',
  'taxonomy.updated',
  'taxonomy.deleted',
  'alert.created',
  'alert.updated',
  'alert.deleted',
  'alert.triggered',
  'alert.execution.completed',
  'alert.execution.failed',
] as const

export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number]

/** An event names at most so many ids; `truncated: true` says that there were more. */
export const EVENT_IDS_MAX = 1000

/** The ids of an event, cut where there are too many of them: `{ [name]: ids, truncated?: true }`. */
export function eventIds(name: string, ids: readonly string[]): Record<string, unknown> {
  if (ids.length <= EVENT_IDS_MAX) return { [name]: ids }
  return { [name]: ids.slice(0, EVENT_IDS_MAX), truncated: true }
}

import { KuraError } from '../../core/errors.ts'
import { sha256 } from '../../core/ids.ts'
import { isObject } from '../../core/json.ts'
import { type PageRequest, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { findBucket, requireWritable } from '../buckets/index.ts'
import { type EventHeaders, eventIdOf, isAuthentic } from './authenticate.ts'
import type { FoundAdapter, SourceAdapterStore } from './config-store.ts'
import { findEvent, insertEvents, listEvents, presentEvent, updateEvent } from './event-store.ts'
import { ITEMS_MAX, type Reading } from './item.ts'
import { newEventsJob } from './jobs.ts'
import { readJson } from './read-json.ts'
import { readS3 } from './read-s3.ts'
import type { ListEventsQuery, ListEventsResponse, ReceivedEvents, SourceEvent } from './schemas.ts'

type Options = { db: Db; queue: JobQueue; http: HttpClient; adapters: SourceAdapterStore }

/** A request with events. `parse` reads its body, or JSON inside of it, by the rules of every request. */
export type Incoming = { headers: EventHeaders; bytes: Uint8Array; parse(inner?: string): unknown }

/** Where Amazon's notification service has its confirmation pages. */
const SNS_DOMAINS = ['amazonaws.com', 'amazonaws.com.cn']
const SNS_TIMEOUT_MS = 10_000

/** Takes events of other systems in. */
export class SourceAdapterService {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * Events of a sender that has no API key and proves itself by a signature or secret. Whether a bucket
   * exists, has an adapter or only got a wrong proof is one answer: `event_not_authentic`.
   */
  async receiveSigned(bucket_id: string, incoming: Incoming): Promise<ReceivedEvents> {
    const { db, adapters } = this.#options
    const found = await adapters.find(db, bucket_id)
    if (!found || !isAuthentic(found.config, incoming.headers, incoming.bytes))
      throw new KuraError('event_not_authentic')
    const given_id = eventIdOf(incoming.headers, { is_signed: found.config.auth?.method === 'signature' })
    return this.#receive(found, incoming, given_id)
  }

  /** Events that come with an API key. Throws `source_adapter_not_found`. */
  async receive(scope: Scope, bucket_identifier: string, incoming: Incoming): Promise<ReceivedEvents> {
    const { db, adapters } = this.#options
    const { bucket_id } = await findBucket(db, scope, bucket_identifier)
    const found = await adapters.find(db, bucket_id)
    if (!found) throw new KuraError('source_adapter_not_found', { resource: 'source_adapter', id: bucket_id })
    return this.#receive({ ...found, scope }, incoming, eventIdOf(incoming.headers, { is_signed: false }))
  }

  /** What was accepted is kept before the sender is answered; taking it in follows. */
  async #receive(
    { scope, bucket_id, config }: FoundAdapter,
    incoming: Incoming,
    given_id: string | undefined,
  ): Promise<ReceivedEvents> {
    const { db, queue } = this.#options
    if (!config.enabled) throw new KuraError('source_adapter_disabled')
    requireWritable(await findBucket(db, scope, bucket_id))
    const envelope = incoming.parse()
    if (isObject(envelope) && envelope.Type === 'SubscriptionConfirmation') return this.#confirm(envelope)
    const { items, ignored } = this.#read(config, envelope, incoming, given_id)
    if (items.length > ITEMS_MAX) throw new KuraError('event_too_large', { limit: ITEMS_MAX })
    const event_keys = await inTransaction(db, async (trx) => {
      const keys = await insertEvents(trx, scope, bucket_id, items)
      if (keys.length > 0) await queue.enqueue(trx, [newEventsJob(scope, { bucket_id, event_keys: keys })])
      return keys
    })
    if (event_keys.length > 0) queue.wake()
    return {
      accepted: event_keys.length,
      duplicates: items.length - event_keys.length,
      ignored,
      event_keys,
    }
  }

  #read(
    config: FoundAdapter['config'],
    envelope: unknown,
    { bytes, parse }: Incoming,
    given_id: string | undefined,
  ): Reading {
    const isSns =
      isObject(envelope) && envelope.Type === 'Notification' && typeof envelope.Message === 'string'
    const body = isSns ? parse(String(envelope.Message)) : envelope
    if (config.type === 's3_notifications') return readS3(config, body)
    const sns_id = isSns && typeof envelope.MessageId === 'string' ? envelope.MessageId : undefined
    return readJson(config, body, sns_id || given_id || sha256(bytes))
  }

  /** Amazon's notification service sends nothing before its page was visited. */
  async #confirm({ SubscribeURL }: Record<string, unknown>): Promise<ReceivedEvents> {
    const response = await this.#options.http.request(String(SubscribeURL), {
      allowed_domains: SNS_DOMAINS,
      limit_bytes: 64 * 1024,
      timeout_ms: SNS_TIMEOUT_MS,
    })
    response.discard()
    if (response.status >= 300)
      throw new KuraError('url_not_usable', { reason: `its server answered with status ${response.status}.` })
    return { accepted: 0, duplicates: 0, ignored: 0, event_keys: [] }
  }

  async list(
    scope: Scope,
    bucket_identifier: string,
    query: ListEventsQuery,
    page: PageRequest,
  ): Promise<ListEventsResponse> {
    const { db } = this.#options
    const { bucket_id } = await findBucket(db, scope, bucket_identifier)
    const place = { namespaceId: scope.namespaceId, bucket_id }
    const { rows, next_cursor } = await listEvents(db, place, { query, page })
    const path = `/v1/buckets/${encodeURIComponent(bucket_identifier)}/source-adapter/events`
    return { results: rows.map(presentEvent), pagination: paginate({ page, total: null, path, next_cursor }) }
  }

  /** Takes a failed event in again. Throws `source_event_not_found`, `source_event_not_failed`. */
  async replay(scope: Scope, bucket_identifier: string, event_key: string): Promise<SourceEvent> {
    const { db, queue } = this.#options
    const bucket = await findBucket(db, scope, bucket_identifier)
    requireWritable(bucket)
    const { bucket_id } = bucket
    const place = { namespaceId: scope.namespaceId, bucket_id }
    const event = await inTransaction(db, async (trx) => {
      const found = await findEvent(trx, place, event_key)
      if (!found) throw new KuraError('source_event_not_found', { resource: 'source_event', id: event_key })
      const isFailed =
        found.status === 'failed' &&
        (await updateEvent(trx, place, found, { status: 'pending', attempt_count: 0, error: null }))
      if (!isFailed) throw new KuraError('source_event_not_failed', { status: found.status })
      await queue.enqueue(trx, [newEventsJob(scope, { bucket_id, event_keys: [event_key] })])
      return (await findEvent(trx, place, event_key))!
    })
    queue.wake()
    return presentEvent(event)
  }
}

import Type from 'typebox'
import { sha256 } from '../../core/ids.ts'
import { canonicalJson } from '../../core/json.ts'
import { Defaulted, optional } from '../../core/schema.ts'
import type { HttpClient } from '../net/http-client.ts'
import { decodeSegment } from './http-listing.ts'
import type { Enclosure, FeedEntry } from './rss-feed.ts'
import { baseAddress, HeaderCredentials, type HttpCredentials, headersOf } from './source-address.ts'
import { askSource, readBytes, readFileAt, requireSuccess } from './source-http.ts'
import type {
  OpenSource,
  SourceContent,
  SourceFile,
  SourceItem,
  SourceListOptions,
  SourceProvider,
  SourceReadOptions,
} from './source-provider.ts'

type Settings = {
  credentials?: HttpCredentials
  user_agent: string
  request_timeout: number
  enclosures_as_files: boolean
}

/** RSS and Atom feeds: what is attached to an entry as files, entries without attachments as rows. */
export const rssSource: SourceProvider = {
  provider_type: 'rss',
  config: Type.Object({
    credentials: optional(HeaderCredentials),
    user_agent: Defaulted(
      Type.String({ minLength: 1, maxLength: 256, pattern: '^[\\x20-\\x7e]+$' }),
      'Mixpeek RSS Sync/1.0',
    ),
    request_timeout: Defaulted(Type.Integer({ minimum: 5, maximum: 120 }), 30),
    enclosures_as_files: Defaulted(Type.Boolean(), true),
  }),
  secrets: ['credentials.headers'],
  checkPath(source_path) {
    const url = URL.parse(source_path)
    const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
    return isWeb && url.username === '' && url.password === ''
      ? null
      : 'The path is the address of a feed: https://…, without user name and password.'
  },
  open: async (config, { http }) => new RssSource(config as unknown as Settings, http),
}

class RssSource implements OpenSource {
  readonly #http: HttpClient
  readonly #settings: Settings
  readonly #headers: Record<string, string>

  constructor(settings: Settings, http: HttpClient) {
    this.#http = http
    this.#settings = settings
    this.#headers = { 'user-agent': settings.user_agent, ...headersOf(settings.credentials) }
  }

  /** A connection names no feed, so there is nothing to ask; syncs say when theirs does not answer. */
  async test(): Promise<void> {
    // The headers have been checked when the source was opened.
  }

  async *list(source_path: string, { signal }: SourceListOptions): AsyncGenerator<SourceItem> {
    signal.throwIfAborted()
    const address = baseAddress(source_path).href
    const response = await askSource(this.#http, address, {
      headers: {
        accept: 'application/rss+xml, application/atom+xml, application/xml, text/xml',
        ...this.#headers,
      },
      timeout_ms: this.#settings.request_timeout * 1000,
      signal,
    })
    requireSuccess(response, 'the feed')
    const bytes = await readBytes(response)
    const { parseFeed } = await import('./rss-feed.ts')
    for (const entry of parseFeed(bytes, response.headers['content-type'], response.url))
      yield* this.#items(entry, address)
  }

  /** Feeds show only their newest entries: an entry that is no longer there has not vanished. */
  cursor(): null {
    return null
  }

  read(file: SourceFile, options: SourceReadOptions): Promise<SourceContent> {
    const { enclosure_url, feed_url } = file.properties as { enclosure_url: string; feed_url: string }
    const isHome = new URL(enclosure_url).origin === new URL(feed_url).origin
    // What proves who we are is for the host of the feed alone.
    const headers = isHome ? this.#headers : { 'user-agent': this.#settings.user_agent }
    return readFileAt(this.#http, enclosure_url, options, { headers, versionOf: () => null })
  }

  async close(): Promise<void> {
    // The connections are those of the server's one HTTP client.
  }

  #items({ id, values, enclosures }: FeedEntry, feed_url: string): SourceItem[] {
    const version = sha256(canonicalJson(values))
    const source_id = shortened(`${feed_url}#${id}`)
    if (!this.#settings.enclosures_as_files || enclosures.length === 0)
      return [{ kind: 'row', source_id, version, values }]
    const published = values.published_at as string | undefined
    return enclosures.map((one, i) => ({
      kind: 'file',
      source_id: i === 0 ? source_id : shortened(`${source_id}#${one.url}`),
      version,
      path: nameOf(one),
      name: nameOf(one),
      size_bytes: null,
      modified_at: published ?? null,
      mime_type: one.mime_type,
      properties: { ...values, enclosure_url: one.url, enclosure_type: one.mime_type, feed_url },
    }))
  }
}

/** Identities have a longest length; beyond it, a hash tells them apart. */
const shortened = (id: string) => (id.length <= 2000 ? id : `${id.slice(0, 1900)}#${sha256(id)}`)

const nameOf = ({ url }: Enclosure) =>
  decodeSegment(new URL(url).pathname.split('/').at(-1) ?? '') || 'enclosure'

import type { TSchema } from 'typebox'
import type { KuraError } from '../../core/errors.ts'
import type { HttpClient } from '../net/http-client.ts'
import type { OutboundGuard } from '../net/outbound-guard.ts'

/** A file or a row that a source offers; `source_id` names it for good, `version` changes with its content. */
export type SourceItem = SourceFile | SourceRow | SourceFault

export type SourceFile = {
  kind: 'file'
  /**
   * Stable identity within the provider, whatever the connection: an address with its host, the id of
   * a drive item. Survives a rename where the source has such an id. At most 2,000 characters.
   */
  source_id: string
  /** Whatever changes with the content: an ETag, a revision, else size and time of change joined. */
  version: string
  /** Path under the `source_path` of the listing, with `/` between segments and none at the start. */
  path: string
  name: string
  size_bytes: number | null
  /** In the form of `timestamp()`. */
  modified_at: string | null
  /** Null where a listing does not tell; filters then go by the extension of the name. */
  mime_type: string | null
  /** Further facts that mappings may name (properties of a drive item, fields of a feed entry). */
  properties?: Readonly<Record<string, unknown>>
}

export type SourceRow = {
  kind: 'row'
  source_id: string
  version: string
  values: Readonly<Record<string, unknown>>
}

/** A part of the source that could not be listed; the run records it and takes nothing for vanished. */
export type SourceFault = { kind: 'fault'; source_id: string; path: string; error: KuraError }

/** The bytes of a file with what only reading it tells. */
export type SourceContent = {
  body: AsyncIterable<Uint8Array>
  /** The version that is being read, when it may differ from the listed one; null: as listed. */
  version: string | null
  mime_type: string | null
  /** User metadata of the store (`x-amz-meta-…` without the prefix, names in lower case). */
  metadata?: Readonly<Record<string, string>>
  /** Present when `with_tags` asked for them and the source has such a thing. */
  tags?: Readonly<Record<string, string>>
}

export type SourceFolder = { id: string; name: string; path: string }

export type SourceListOptions = {
  signal: AbortSignal
  /** Items to ask for at once, where the source has pages; a hint. */
  page_size: number
  /** Where an incremental listing goes on: what `cursor()` gave after the last whole listing. */
  cursor: string | null
}

export type SourceReadOptions = {
  signal: AbortSignal
  /** More bytes throw `source_file_too_large`. */
  limit_bytes: number
  with_tags: boolean
}

/**
 * The port to where data comes from. Everything that goes out passes the guard for outbound requests.
 * Whatever the peer does wrong throws `connection_failed` with what to do, in words of our own and
 * without secrets; a peer that asks to slow down (429, 503) throws `source_busy`, a file that has
 * vanished `source_item_gone`, one that changed while it was read `source_item_changed`, one that
 * may not be read `source_item_unreadable`.
 */
export type OpenSource = {
  /** Proves that address and credentials work; throws `connection_failed`. */
  test(signal: AbortSignal): Promise<void>
  /** Every item under a `source_path`, also in sub-folders, as a stream: a source may hold millions. */
  list(source_path: string, options: SourceListOptions): AsyncIterable<SourceItem>
  /**
   * Where the next incremental listing may start, once `list` has ended; null: from the beginning.
   * A provider that has one lists only what is new or changed after it, so nothing counts as vanished.
   */
  cursor?(): string | null
  /** The bytes of a file that `list` gave; the body MUST be read to the end or left early. Absent for rows. */
  read?(file: SourceFile, options: SourceReadOptions): Promise<SourceContent>
  /** One level of a tree, for browsing; absent where the source is no tree. */
  browse?(path: string, options: BrowseOptions): Promise<{ folders: SourceFolder[]; files: SourceFile[] }>
  close(): Promise<void>
}

/** `max_results` bounds each of the two lists. */
export type BrowseOptions = { signal: AbortSignal; max_results: number }

/** What providers get from the server. */
export type SourceContext = {
  http: HttpClient
  guard: OutboundGuard
  /** Absolute folders whose contents the operator lets `local` connections read. */
  local_source_roots: readonly string[]
  /** Where the clouds of vendors are reached; the operator's word, never that of a connection. */
  clouds: CloudAddresses
}

/** Addresses without a slash at the end. */
export type CloudAddresses = {
  google_api_url: string
  google_token_url: string
  microsoft_graph_url: string
  microsoft_login_url: string
}

export type SourceConfig = Readonly<Record<string, unknown>>

/** One provider: its name on the wire, its configuration and how to open it. */
export type SourceProvider = {
  provider_type: string
  /** Shape of `provider_config`; violations are 422 below `["body","provider_config"]`. */
  config: TSchema
  /** Members of the configuration that are secrets, as dotted paths; they are sealed and masked. */
  secrets: readonly string[]
  /** Whether a `source_path` fits, as a message of what is wrong, or null. */
  checkPath(source_path: string, config: SourceConfig): string | null
  /** `config` has been checked. Opens lazily: an unreachable peer shows in `test` or `list`. */
  open(config: SourceConfig, context: SourceContext): Promise<OpenSource>
}

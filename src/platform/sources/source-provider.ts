/** A file or a row that a source offers; `source_id` names it for good, `version` changes with its content. */
export type SourceItem = SourceFile | SourceRow

export type SourceFile = {
  kind: 'file'
  /** Stable identity within the connection: a path, a key, the id of a drive. Survives a rename where the source has such an id. */
  source_id: string
  /** Whatever changes with the content: an ETag, a revision, else size and time of change joined. */
  version: string
  /** Path under the root of the connection, with `/` between segments and none at the start. */
  path: string
  name: string
  size_bytes: number | null
  modified_at: string | null
  mime_type: string | null
  /** S3 tags; loaded only when `SourceListOptions.with_tags` asks. */
  tags?: Readonly<Record<string, string>>
  /** User metadata of the store (`x-amz-meta-…` without the prefix, names in lower case). */
  metadata?: Readonly<Record<string, string>>
  /** Further facts that mappings may name (properties of a drive item, fields of a feed entry). */
  properties?: Readonly<Record<string, unknown>>
}

export type SourceRow = {
  kind: 'row'
  source_id: string
  version: string
  values: Readonly<Record<string, unknown>>
}

export type SourceFolder = { id: string; name: string; path: string }

export type SourceListOptions = {
  signal: AbortSignal
  with_tags?: boolean
  with_metadata?: boolean
  /** Where an interrupted or incremental listing goes on; what `cursor()` gave. */
  cursor?: string | null
}

/**
 * The port to where data comes from. Everything that goes out passes the guard for outbound requests.
 * Whatever the peer does wrong throws `connection_failed` with what to do; a file that has vanished
 * throws `source_item_gone`.
 */
export type OpenSource = {
  /** Proves that address and credentials work; throws `connection_failed`. */
  test(signal: AbortSignal): Promise<void>
  /** Every item under a path, also in sub-folders, as a stream: a source may hold millions. */
  list(path: string, options: SourceListOptions): AsyncIterable<SourceItem>
  /** Where the next incremental listing may start, after `list` has ended; absent where only full listings exist. */
  cursor?(): string | null
  /** The bytes of a file; MUST be read to the end or left early. */
  read(
    file: SourceFile,
    options: { signal: AbortSignal; limit_bytes: number },
  ): Promise<AsyncIterable<Uint8Array>>
  /** One level of a tree, for browsing; absent where the source is no tree. */
  browse?(path: string, signal: AbortSignal): Promise<{ folders: SourceFolder[]; files: SourceFile[] }>
  close(): Promise<void>
}

/** One provider: its name on the wire and how to open it with a checked configuration. */
export type SourceProvider = {
  provider_type: string
  /** Whether a `source_path` fits, as a message of what is wrong, or null. */
  checkPath(path: string): string | null
  open(config: Readonly<Record<string, unknown>>): Promise<OpenSource>
}

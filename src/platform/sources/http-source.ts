import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { optional } from '../../core/schema.ts'
import { parseInstant, toTimestamp } from '../../core/time.ts'
import { mapConcurrently } from '../../lib/concurrency.ts'
import { pagesOf } from '../../lib/pages.ts'
import type { HttpClient } from '../net/http-client.ts'
import {
  childLinks,
  decodeSegment,
  type Link,
  listingKind,
  type ManifestEntry,
  parseJsonManifest,
  parseTextManifest,
} from './http-listing.ts'
import {
  BasicCredentials,
  baseAddress,
  folderAddress,
  HeaderCredentials,
  type HttpCredentials,
  headersOf,
} from './source-address.ts'
import {
  askSource,
  connectionFailed,
  readFileAt,
  readText,
  requireFile,
  requireSuccess,
  versionOfHeaders,
} from './source-http.ts'
import type {
  BrowseOptions,
  OpenSource,
  SourceContent,
  SourceFile,
  SourceFolder,
  SourceItem,
  SourceListOptions,
  SourceProvider,
  SourceReadOptions,
} from './source-provider.ts'
import { faultOf, segmentsOf, type TreeChild, walkTree } from './walk-tree.ts'

/** Files that are asked for their version at once; a listing itself does not tell it. */
const HEADS_AT_ONCE = 6
const HEADS_PAGE = 60
const MANIFEST_NAME = /\.(?:json|txt|html?)$/i

/** Folders that a web server lists (Apache, nginx, Caddy, rclone …) and manifests of addresses. */
export const httpSource: SourceProvider = {
  provider_type: 'http',
  config: Type.Object({
    base_url: Type.String({ minLength: 1, maxLength: 2048 }),
    credentials: optional(Type.Union([BasicCredentials, HeaderCredentials])),
  }),
  secrets: ['credentials.password', 'credentials.headers'],
  checkPath: (source_path) => segmentsOf(source_path).error,
  open: async ({ base_url, credentials }, { http }) =>
    new HttpSource(http, baseAddress(base_url as string), headersOf(credentials as HttpCredentials)),
}

type Page = { folder: URL; children: Iterable<Link> } | { folder: URL; manifest: ManifestEntry[] }

class HttpSource implements OpenSource {
  readonly #http: HttpClient
  readonly #base: URL
  readonly #headers: Record<string, string>

  constructor(http: HttpClient, base: URL, headers: Record<string, string>) {
    this.#http = http
    this.#base = base
    this.#headers = headers
  }

  async test(signal: AbortSignal): Promise<void> {
    await this.#page(this.#base, signal, 'the base_url')
  }

  async *list(source_path: string, { signal }: SourceListOptions): AsyncGenerator<SourceItem> {
    const first = await this.#page(startAddress(this.#base, source_path), signal, 'the folder')
    if ('manifest' in first) {
      yield* this.#manifest(first.manifest, first.folder, signal)
      return
    }
    yield* walkTree<Link | null>(null, { signal }, (link, path) => this.#children(link, path, first, signal))
  }

  read(file: SourceFile, options: SourceReadOptions): Promise<SourceContent> {
    const versionOf = file.properties?.version_told ? () => null : versionOfHeaders
    return readFileAt(this.#http, file.source_id, options, { headers: this.#headers, versionOf })
  }

  async browse(path: string, { signal, max_results }: BrowseOptions) {
    const page = await this.#page(startAddress(this.#base, path), signal, 'the folder')
    if ('manifest' in page) throw connectionFailed('a manifest has no folders to browse')
    const place = segmentsOf(path).segments.join('/')
    const folders: SourceFolder[] = []
    const files: SourceFile[] = []
    for (const link of page.children) {
      const path = place === '' ? link.name : `${place}/${link.name}`
      if (!link.is_folder && files.length < max_results) files.push(fileOf(link.url, path, link.name))
      if (link.is_folder && folders.length < max_results)
        folders.push({ id: path, name: link.name, path: `/${path}` })
      if (folders.length === max_results && files.length === max_results) break
    }
    return { folders, files }
  }

  async close(): Promise<void> {
    // The connections are those of the server's one HTTP client.
  }

  async #page(address: URL, signal: AbortSignal, what: string): Promise<Page> {
    const response = await askSource(this.#http, address.href, { headers: this.#headers, signal })
    requireSuccess(response, what)
    const kind = listingKind(response.headers['content-type'])
    if (kind === null) {
      response.discard()
      throw connectionFailed('the address is neither an HTML listing nor a JSON or text manifest')
    }
    const folder = new URL('.', response.url)
    if (folder.origin !== this.#base.origin) {
      response.discard()
      throw connectionFailed('the server sends to another host; give that one as base_url')
    }
    const text = await readText(response)
    if (kind === 'html') return { folder, children: childLinks(text, folder) }
    return { folder, manifest: kind === 'json' ? parseJsonManifest(text) : parseTextManifest(text) }
  }

  async *#children(
    link: Link | null,
    path: string,
    first: Page,
    signal: AbortSignal,
  ): AsyncGenerator<TreeChild<Link | null>> {
    const page = link === null ? first : await this.#subFolder(link, signal)
    if (!page || 'manifest' in page) return
    for await (const links of pagesOf(streamed(page.children), HEADS_PAGE)) {
      const placed = links.map((one) => ({ ...one, path: path === '' ? one.name : `${path}/${one.name}` }))
      for (const one of placed)
        if (one.is_folder) yield { folder: one, source_id: one.url.href, path: one.path }
      const files = placed.filter((one) => !one.is_folder)
      const items = await mapConcurrently(files, HEADS_AT_ONCE, ({ url, path, name }) =>
        this.#describe(fileOf(url, path, name), signal),
      )
      for (const item of items) if (item) yield { item }
    }
  }

  /** Null when it has vanished, or is a page instead of a listing. */
  async #subFolder({ url }: Link, signal: AbortSignal): Promise<Page | null> {
    const response = await askSource(this.#http, url.href, { headers: this.#headers, signal })
    requireFile(response)
    // A folder that sends elsewhere would be listed twice, or for ever.
    if (listingKind(response.headers['content-type']) !== 'html' || response.url !== url.href) {
      response.discard()
      throw new KuraError('source_item_unreadable', { reason: 'the folder has no listing' })
    }
    return { folder: url, children: childLinks(await readText(response), url) }
  }

  async *#manifest(
    entries: readonly ManifestEntry[],
    folder: URL,
    signal: AbortSignal,
  ): AsyncGenerator<SourceItem> {
    for await (const page of pagesOf(streamed(entries), HEADS_PAGE)) {
      signal.throwIfAborted()
      const items = await mapConcurrently(page, HEADS_AT_ONCE, (entry) => this.#entry(entry, folder, signal))
      for (const item of items) if (item) yield item
    }
  }

  async #entry(entry: ManifestEntry, folder: URL, signal: AbortSignal): Promise<SourceItem | null> {
    const url = URL.parse(entry.url, folder.href)
    const source_id = entry.url.slice(0, 2000)
    if (!url || entry.url.length > 2000)
      return faultOf({ source_id, path: source_id }, 'the manifest names no valid address')
    if (url.origin !== this.#base.origin)
      return faultOf({ source_id, path: source_id }, 'the address is on another host than base_url')
    url.hash = ''
    const isBelow = url.pathname.startsWith(folder.pathname)
    const place = isBelow ? url.pathname.slice(folder.pathname.length) : url.pathname.slice(1)
    const path = place.split('/').map(decodeSegment).join('/')
    const file: SourceFile = {
      ...fileOf(url, path, path.split('/').at(-1)!),
      size_bytes: entry.size_bytes ?? null,
      modified_at: instantOf(entry.modified_at),
      mime_type: entry.mime_type ?? null,
    }
    if (entry.version === undefined)
      return this.#describe({ ...file, properties: { ...entry.properties } }, signal)
    return { ...file, version: entry.version, properties: { ...entry.properties, version_told: true } }
  }

  /** Asks for what a link does not tell. Null when the file has vanished. */
  async #describe(file: SourceFile, signal: AbortSignal): Promise<SourceItem | null> {
    const asked = { method: 'HEAD' as const, headers: this.#headers, signal }
    const response = await askSource(this.#http, file.source_id, asked)
    if (response.status === 405 || response.status === 501) return file
    try {
      requireFile(response)
    } catch (error) {
      const code = (error as KuraError).code
      if (code === 'source_item_gone') return null
      if (code === 'source_item_unreadable') return faultOf(file, 'the server denies access')
      throw error
    }
    const { 'content-length': size, 'last-modified': modified, 'content-type': mime } = response.headers
    return {
      ...file,
      version: versionOfHeaders(response.headers) ?? `${size ?? ''}`,
      size_bytes: file.size_bytes ?? (size && /^\d{1,15}$/.test(size) ? Number(size) : null),
      modified_at: file.modified_at ?? instantOf(modified),
      mime_type: file.mime_type ?? mime ?? null,
    }
  }
}

/** Folders end with a slash, as many servers know them by nothing else; a manifest is a file. */
function startAddress(base: URL, path: string): URL {
  const url = folderAddress(base, path)
  if (url === base || MANIFEST_NAME.test(url.pathname)) return url
  return new URL(`${url.pathname}/`, url)
}

const fileOf = (url: URL, path: string, name: string): SourceFile => ({
  kind: 'file',
  source_id: url.href,
  // A server that tells no version gives the file once; a change shows in a new name.
  version: 'unknown',
  path,
  name,
  size_bytes: null,
  modified_at: null,
  mime_type: null,
})

/** An HTTP date or an instant in the form of the store; anything else is none. */
function instantOf(text: string | undefined): string | null {
  if (text === undefined || text.length > 64) return null
  const ms = parseInstant(text) ?? Date.parse(text)
  return Number.isNaN(ms) ? null : toTimestamp(ms)
}

async function* streamed<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items
}

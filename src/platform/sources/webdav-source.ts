import Type from 'typebox'
import type { DAVResult, DAVResultResponse } from 'webdav'
import { optional } from '../../core/schema.ts'
import { toTimestamp } from '../../core/time.ts'
import type { HttpClient } from '../net/http-client.ts'
import { decodeSegment } from './http-listing.ts'
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
  SourceItem,
  SourceListOptions,
  SourceProvider,
  SourceReadOptions,
} from './source-provider.ts'
import { segmentsOf, type TreeChild, walkTree } from './walk-tree.ts'

const MULTI_STATUS = 207
const ASKED = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/><getcontenttype/></prop></propfind>`

/** Nextcloud, ownCloud, Apache mod_dav and whatever else speaks WebDAV (RFC 4918). */
export const webdavSource: SourceProvider = {
  provider_type: 'webdav',
  config: Type.Object({
    base_url: Type.String({ minLength: 1, maxLength: 2048 }),
    credentials: optional(Type.Union([BasicCredentials, HeaderCredentials])),
  }),
  secrets: ['credentials.password', 'credentials.headers'],
  checkPath: (source_path) => segmentsOf(source_path).error,
  open: async ({ base_url, credentials }, { http }) =>
    new WebdavSource(http, baseAddress(base_url as string), headersOf(credentials as HttpCredentials)),
}

type Folder = { kind: 'folder'; url: URL; name: string }
type Entry = Folder | { kind: 'file'; file: SourceFile }

class WebdavSource implements OpenSource {
  readonly #http: HttpClient
  readonly #base: URL
  readonly #headers: Record<string, string>

  constructor(http: HttpClient, base: URL, headers: Record<string, string>) {
    this.#http = http
    this.#base = base
    this.#headers = headers
  }

  async test(signal: AbortSignal): Promise<void> {
    await this.#entries(folderUrl(this.#base), '', signal, 'start')
  }

  async *list(source_path: string, { signal }: SourceListOptions): AsyncGenerator<SourceItem> {
    const start = folderUrl(folderAddress(this.#base, source_path))
    yield* walkTree(start, { signal }, (url, path) => this.#children(url, path, url !== start, signal))
  }

  read(file: SourceFile, options: SourceReadOptions): Promise<SourceContent> {
    const versionOf = (headers: Record<string, string>) => (headers.etag ? versionOfHeaders(headers) : null)
    return readFileAt(this.#http, file.source_id, options, { headers: this.#headers, versionOf })
  }

  async browse(path: string, { signal, max_results }: BrowseOptions) {
    const place = segmentsOf(path).segments.join('/')
    const url = folderUrl(folderAddress(this.#base, path))
    const entries = await this.#entries(url, place, signal, 'start')
    const folders = entries.flatMap((one) => {
      const at = one.kind === 'folder' ? joined(place, one.name) : ''
      return one.kind === 'folder' ? [{ id: at, name: one.name, path: `/${at}` }] : []
    })
    const files = entries.flatMap((one) => (one.kind === 'file' ? [one.file] : []))
    return { folders: folders.slice(0, max_results), files: files.slice(0, max_results) }
  }

  async close(): Promise<void> {
    // The connections are those of the server's one HTTP client.
  }

  async *#children(
    url: URL,
    path: string,
    isSub: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<TreeChild<URL>> {
    for (const entry of await this.#entries(url, path, signal, isSub ? 'sub' : 'start')) {
      if (entry.kind === 'file') yield { item: entry.file }
      else yield { folder: entry.url, source_id: entry.url.href, path: joined(path, entry.name) }
    }
  }

  /** One level only: servers refuse to list whole trees, and a level is what fits into memory. */
  async #entries(url: URL, path: string, signal: AbortSignal, which: 'start' | 'sub'): Promise<Entry[]> {
    const headers = { ...this.#headers, depth: '1', 'content-type': 'application/xml; charset=utf-8' }
    const asked = { method: 'PROPFIND' as const, headers, body: ASKED, signal }
    const response = await askSource(this.#http, url.href, asked)
    if (which === 'sub') requireFile(response)
    requireSuccess(response, 'the folder')
    if (response.status !== MULTI_STATUS) {
      response.discard()
      throw connectionFailed(`the address speaks no WebDAV (status ${response.status} to PROPFIND)`)
    }
    const at = new URL(response.url)
    if (at.origin !== this.#base.origin) {
      response.discard()
      throw connectionFailed('the server sends to another host; give that one as base_url')
    }
    const { multistatus } = await parseMultiStatus(await readText(response))
    return multistatus.response.flatMap((one) => entryOf(one, folderUrl(at), path) ?? [])
  }
}

/** Document types can define entities that grow without bound; WebDAV has no use for them. */
async function parseMultiStatus(text: string): Promise<DAVResult> {
  if (/<!DOCTYPE/i.test(text)) throw connectionFailed('the server sent XML with a document type')
  const { parseXML } = await import('webdav')
  try {
    return await parseXML(text)
  } catch (error) {
    throw connectionFailed('the server sent no valid WebDAV listing', error)
  }
}

/** Null for the folder itself and for whatever is not directly in it. */
function entryOf({ href, propstat }: DAVResultResponse, folder: URL, path: string): Entry | null {
  const url = URL.parse(String(href), folder.href)
  if (!url || url.origin !== folder.origin || !url.pathname.startsWith(folder.pathname)) return null
  const [, segment = ''] = /^([^/]+)\/?$/.exec(url.pathname.slice(folder.pathname.length)) ?? []
  if (segment === '') return null
  url.hash = ''
  const name = decodeSegment(segment)
  const props = (propstat?.prop ?? {}) as Record<string, unknown>
  const type = props.resourcetype
  if (typeof type === 'object' && type !== null && 'collection' in type)
    return { kind: 'folder', url: folderUrl(url), name }
  const size = Number(props.getcontentlength ?? Number.NaN)
  const modified = Date.parse(String(props.getlastmodified ?? ''))
  const etag = props.getetag ? String(props.getetag) : ''
  const file: SourceFile = {
    kind: 'file',
    source_id: url.href,
    version: etag ? versionOfHeaders({ etag })! : `${props.getcontentlength ?? ''}-${modified}`,
    path: joined(path, name),
    name,
    size_bytes: Number.isSafeInteger(size) && size >= 0 ? size : null,
    modified_at: Number.isNaN(modified) ? null : toTimestamp(modified),
    mime_type: props.getcontenttype ? String(props.getcontenttype) : null,
  }
  return { kind: 'file', file }
}

function folderUrl(url: URL): URL {
  const folder = new URL(url.href)
  folder.pathname = folder.pathname.replace(/\/*$/, '/')
  return folder
}

const joined = (path: string, name: string) => (path === '' ? name : `${path}/${name}`)

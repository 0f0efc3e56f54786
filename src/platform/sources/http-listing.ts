import { KuraError } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'
import { connectionFailed } from './source-http.ts'

/** A longer tag is no link of a listing. */
const TAG_LENGTH_MAX = 8192
const LINKS_MAX = 1_000_000

/** What an answer to GET on a folder is, by its type. */
export type ListingKind = 'html' | 'json' | 'text'

export function listingKind(content_type: string | undefined): ListingKind | null {
  const type = content_type?.replace(/;.*$/s, '').trim().toLowerCase()
  if (type === 'text/html' || type === 'application/xhtml+xml') return 'html'
  if (type === 'application/json') return 'json'
  return type === 'text/plain' || type === 'text/uri-list' ? 'text' : null
}

export type Link = { url: URL; name: string; is_folder: boolean }

/**
 * Direct children of a folder that its listing links to, each once. Links elsewhere – to the folder
 * itself, its parent, other hosts, other orders of the same list – are no children.
 */
export function* childLinks(html: string, folder: URL): Generator<Link> {
  const seen = new Set<string>()
  for (const href of hrefsOf(html)) {
    const url = URL.parse(href, folder.href)
    if (!url || url.origin !== folder.origin || url.search !== '') continue
    const rest = url.pathname.startsWith(folder.pathname) ? url.pathname.slice(folder.pathname.length) : ''
    const [, segment = '', slash] = /^([^/]+)(\/?)$/.exec(rest) ?? []
    if (segment === '' || seen.has(rest)) continue
    if (seen.size === LINKS_MAX) throw new KuraError('source_listing_endless', { limit: LINKS_MAX })
    seen.add(rest)
    url.hash = ''
    yield { url, name: decodeSegment(segment), is_folder: slash === '/' }
  }
}

/** Addresses of all `<a href>`; a hostile page costs time in proportion to its size. */
function* hrefsOf(html: string): Generator<string> {
  const starts = /<a(?=\s)/gi
  for (let start = starts.exec(html); start; start = starts.exec(html)) {
    const rest = html.slice(start.index, start.index + TAG_LENGTH_MAX)
    const end = rest.indexOf('>')
    const tag = end === -1 ? rest : rest.slice(0, end)
    starts.lastIndex = start.index + tag.length
    const name = /\shref\s*=\s*/i.exec(tag)
    if (!name) continue
    const value = tag.slice(name.index + name[0].length)
    const quote = /^["']/.exec(value)?.[0]
    const href = quote ? value.slice(1).split(quote, 1)[0]! : value.split(/\s/, 1)[0]!
    yield decodeEntities(href.trim())
  }
}

const NAMED: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w{2,4}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return NAMED[name.toLowerCase()] ?? whole
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

/** Percent-decoded; a segment that is no valid encoding stays as it is. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** One entry of a manifest; what it does not tell, the server of the file is asked. */
export type ManifestEntry = {
  url: string
  version?: string
  size_bytes?: number
  modified_at?: string
  mime_type?: string
  properties?: Record<string, unknown>
}

/** A list of addresses or of objects with `url`, bare or as the member `files`. */
export function parseJsonManifest(text: string): ManifestEntry[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw connectionFailed('the manifest is not valid JSON', error)
  }
  const files = isObject(parsed) ? parsed.files : parsed
  if (!Array.isArray(files)) throw connectionFailed('the manifest holds no list of files')
  return files.map((one, i) => {
    if (typeof one === 'string') return { url: one }
    if (!isObject(one) || typeof one.url !== 'string')
      throw connectionFailed(`entry ${i} of the manifest has no url`)
    const { url, version, etag, size_bytes, modified_at, mime_type, ...properties } = one
    const told = version ?? etag
    return {
      url,
      ...((typeof told === 'string' || typeof told === 'number') && { version: String(told) }),
      ...(Number.isSafeInteger(size_bytes) && { size_bytes: size_bytes as number }),
      ...(typeof modified_at === 'string' && { modified_at }),
      ...(typeof mime_type === 'string' && { mime_type }),
      properties,
    }
  })
}

/** One address a line; empty lines and those that start with `#` are left out. */
export const parseTextManifest = (text: string): ManifestEntry[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((url) => ({ url }))

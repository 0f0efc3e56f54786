import { XMLParser } from 'fast-xml-parser'
import { isObject } from '../../core/json.ts'
import { parseInstant, toTimestamp } from '../../core/time.ts'
import { connectionFailed } from './source-http.ts'

const NESTED_TAGS_MAX = 50
const LISTS = new Set([
  'item',
  'entry',
  'enclosure',
  'link',
  'category',
  'media:content',
  'author',
  'dc:creator',
])

export type Enclosure = { url: string; mime_type: string | null }
export type FeedEntry = { id: string; values: Record<string, unknown>; enclosures: Enclosure[] }

type Node = Record<string, unknown>

/** The entries of an RSS 0.9x, 1.0 or 2.0 or Atom feed. Throws `connection_failed` for anything else. */
export function parseFeed(bytes: Buffer, content_type: string | undefined, address: string): FeedEntry[] {
  const root = parseXml(decode(bytes, content_type))
  const rss = nodeAt(root.rss)
  const rdf = nodeAt(root['rdf:RDF'])
  const atom = nodeAt(root.feed)
  if (atom) return listAt(atom.entry).map((entry) => atomEntry(entry, address))
  const channel = nodeAt(rss?.channel) ?? nodeAt(rdf?.channel)
  if (!channel) throw connectionFailed('the address gives no RSS or Atom feed')
  return listAt(rdf?.item ?? channel.item).map((item) => rssEntry(item, address))
}

/** Entities that a document defines by itself can grow without bound; those of XML are all a feed needs. */
function parseXml(text: string): Node {
  if (/<!DOCTYPE[^>]*\[|<!ENTITY/i.test(text))
    throw connectionFailed('the feed defines entities of its own, which are not read')
  try {
    return new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '@',
      parseTagValue: false,
      parseAttributeValue: false,
      maxNestedTags: NESTED_TAGS_MAX,
      htmlEntities: false,
      isArray: (name) => LISTS.has(name),
    }).parse(text.replace(/<!DOCTYPE[^>[]*>/i, '')) as Node
  } catch (error) {
    throw connectionFailed('the feed is not well-formed XML', error)
  }
}

/** By the header, else by the XML declaration, else UTF-8 (RFC 7303). */
function decode(bytes: Buffer, content_type: string | undefined): string {
  const declared = /^[^>]{0,100}?encoding=["']([\w-]{1,40})["']/.exec(
    bytes.subarray(0, 200).toString('latin1'),
  )
  const charset = /charset="?([\w-]{1,40})/i.exec(content_type ?? '')?.[1] ?? declared?.[1] ?? 'utf-8'
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch (error) {
    throw connectionFailed('the encoding of the feed is unknown', error)
  }
}

function rssEntry(item: Node, address: string): FeedEntry {
  const link = textOf(item.link)
  const published = textOf(item.pubDate) ?? textOf(item['dc:date'])
  const media = [...listAt(item.enclosure), ...listAt(item['media:content'])]
  const enclosures = media.flatMap((one) => enclosureOf(one['@url'], one['@type'], address))
  return entryOf(item, {
    guid: textOf(item.guid) ?? textOf(item['@rdf:about']) ?? link,
    title: textOf(item.title),
    link,
    description: textOf(item.description),
    content: textOf(item['content:encoded']),
    author: textOf(item.author) ?? textOf(item['dc:creator']),
    published,
    enclosures,
  })
}

function atomEntry(entry: Node, address: string): FeedEntry {
  const links = listAt(entry.link)
  const linked = (rel: string) => links.filter((one) => (one['@rel'] ?? 'alternate') === rel)
  const enclosures = linked('enclosure').flatMap((one) => enclosureOf(one['@href'], one['@type'], address))
  return entryOf(entry, {
    guid: textOf(entry.id),
    title: textOf(entry.title),
    link: textOf(linked('alternate')[0]?.['@href']),
    description: textOf(entry.summary),
    content: textOf(entry.content),
    author: listAt(entry.author).map(({ name }) => textOf(name))[0] ?? null,
    published: textOf(entry.published) ?? textOf(entry.updated),
    updated: textOf(entry.updated),
    enclosures,
  })
}

type Told = {
  guid: string | null
  title: string | null
  link: string | null
  description: string | null
  content: string | null
  author: string | null
  published: string | null
  updated?: string | null
  enclosures: Enclosure[]
}

/** Fields under names that are the same in every kind of feed, and what else the entry says under its own. */
function entryOf(node: Node, { published, updated = null, enclosures, ...told }: Told): FeedEntry {
  const own = Object.fromEntries(
    Object.entries(node).flatMap(([name, value]) =>
      typeof value === 'string' && !name.startsWith('@') ? [[name, value]] : [],
    ),
  )
  const values = Object.fromEntries(
    Object.entries({
      ...own,
      ...told,
      published_at: instantOf(published),
      updated_at: instantOf(updated),
      categories: listAt(node.category).map((one) => textOf(one['@term'] ?? one)),
      enclosure_url: enclosures[0]?.url ?? null,
      enclosure_type: enclosures[0]?.mime_type ?? null,
    }).filter(([, value]) => value !== null),
  )
  return { id: told.guid ?? told.link ?? JSON.stringify(values), values, enclosures }
}

/** Sizes that feeds tell are wrong too often to be used. */
function enclosureOf(url: unknown, type: unknown, address: string): Enclosure[] {
  const parsed = typeof url === 'string' ? URL.parse(url.trim(), address) : null
  if (!parsed || !/^https?:$/.test(parsed.protocol)) return []
  return [{ url: parsed.href, mime_type: typeof type === 'string' && type !== '' ? type : null }]
}

function instantOf(text: string | null): string | null {
  if (text === null || text.length > 64) return null
  const ms = parseInstant(text) ?? Date.parse(text)
  return Number.isNaN(ms) ? null : toTimestamp(ms)
}

const nodeAt = (value: unknown): Node | null => (isObject(value) ? value : null)

/** Elements as nodes; those that hold only text become nodes with the text. */
function listAt(value: unknown): Node[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value]
  return list.map((one) => (isObject(one) ? one : { '#text': String(one) }))
}

/** The text of an element, also of one with attributes; null when it has none. */
function textOf(value: unknown): string | null {
  const one = Array.isArray(value) ? value[0] : value
  const text = isObject(one) ? one['#text'] : one
  const trimmed = text === undefined || text === null ? '' : String(text).trim()
  return trimmed === '' ? null : trimmed
}

import { type FieldType, isFileType } from '../../core/bucket-schema.ts'
import { KuraError, valueError } from '../../core/errors.ts'
import { parseFileAddress } from '../../core/file-address.ts'
import { isObject, type JsonObject, type JsonValue } from '../../core/json.ts'

/** What the `data` of a blob is. */
export type BlobSource =
  | { kind: 'url'; url: string; properties: JsonObject }
  | { kind: 'file'; file_id: string }
  | { kind: 'text'; text: string }
  | {
      kind: 'bytes'
      bytes: Uint8Array
      mime_type: string | null
      filename: string | null
      /** Bare base64 is believed only when the content shows that it is a file of the right type. */
      is_guess: boolean
    }
  | { kind: 'json'; value: JsonValue }

type Loc = (string | number)[]

const WEB_URL = /^https?:\/\/\S+$/i
const STORE_URL = /^(?:s3|gs):\/\/\S+$/i
/** Keys of object stores may hold blanks; in a text they could be prose, said to be an address they are one. */
const STORE_KEY = /^(?:s3|gs):\/\/[^\s/]+\/[^\r\n]+$/i
const DATA_URI = /^data:([^,;]*)((?:;[^,;]*)*?)(;base64)?,/i
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

/**
 * Reads `data` by the type of its property; null means a type that only the content can tell.
 * Throws 422 for what fits no meaning, and `inline_blob_too_large`.
 */
export function readSource(
  type: FieldType | null,
  data: JsonValue,
  { limit_bytes, loc }: { limit_bytes: number; loc: Loc },
): BlobSource {
  const place = [...loc, 'data']
  if (type !== null && !isFileType(type)) return { kind: 'json', value: data }
  if (typeof data === 'string') return readString(type, data, limit_bytes, place)
  if (isObject(data)) {
    const { base64, url } = data as JsonObject
    if (typeof base64 === 'string') return readBase64Object(base64, data as JsonObject, limit_bytes, place)
    if (typeof url === 'string') {
      const { url: _, ...properties } = data as JsonObject
      const source = readAddress(url.trim()) ?? readStoreKey(url)
      if (!source) throw valueError([...place, 'url'], 'Input should be an http, https, s3 or gs URL')
      return source.kind === 'url' ? { ...source, properties } : source
    }
  }
  if (type === null) return { kind: 'json', value: data }
  throw valueError(place, `A blob of type ${type} takes a URL, a data URI, base64${orText(type)}`)
}

const orText = (type: FieldType) => (type === 'text' ? ' or text' : '')

function readString(type: FieldType | null, data: string, limit_bytes: number, loc: Loc): BlobSource {
  const trimmed = data.trim()
  const address = readAddress(trimmed)
  if (address) return address
  const uri = DATA_URI.exec(trimmed)
  // A text may well begin with "data:"; only the base64 form is surely no prose.
  if (uri && (uri[3] !== undefined || (type !== 'text' && type !== null)))
    return readDataUri(trimmed, uri, limit_bytes, loc)
  if (type === 'text' || type === null) {
    checkSize(Buffer.byteLength(data), limit_bytes)
    return { kind: 'text', text: data }
  }
  const bytes = decodeBase64(trimmed, limit_bytes)
  if (!bytes || bytes.byteLength === 0)
    throw valueError(loc, `A blob of type ${type} takes a URL, a data URI or base64`)
  return { kind: 'bytes', bytes, mime_type: null, filename: null, is_guess: true }
}

function readAddress(text: string): Extract<BlobSource, { kind: 'url' | 'file' }> | null {
  const file_id = parseFileAddress(text)
  if (file_id !== null) return { kind: 'file', file_id }
  if (WEB_URL.test(text) || STORE_URL.test(text)) return { kind: 'url', url: text, properties: {} }
  return null
}

const readStoreKey = (url: string): Extract<BlobSource, { kind: 'url' }> | null =>
  STORE_KEY.test(url) ? { kind: 'url', url, properties: {} } : null

function readDataUri(text: string, match: RegExpExecArray, limit_bytes: number, loc: Loc): BlobSource {
  const [head, mime, , base64] = match
  const content = text.slice(head.length)
  const bytes = base64 === undefined ? decodePercent(content) : decodeBase64(content, limit_bytes)
  if (!bytes) throw valueError(loc, 'The data URI cannot be decoded')
  checkSize(bytes.byteLength, limit_bytes)
  return { kind: 'bytes', bytes, mime_type: mime || null, filename: null, is_guess: false }
}

function readBase64Object(text: string, data: JsonObject, limit_bytes: number, loc: Loc): BlobSource {
  // Some clients put a whole data URI where the base64 belongs.
  const uri = DATA_URI.exec(text)
  const bytes = decodeBase64(uri?.[3] ? text.slice(uri[0].length) : text, limit_bytes)
  if (!bytes) throw valueError([...loc, 'base64'], 'Input should be valid base64')
  const declared = typeof data.mime_type === 'string' ? data.mime_type : uri?.[1] || null
  const filename = typeof data.filename === 'string' ? safeFilename(data.filename) : null
  return { kind: 'bytes', bytes, mime_type: declared, filename, is_guess: false }
}

/** Standard or URL-safe alphabet, line breaks allowed, padding optional; null for anything else. */
function decodeBase64(text: string, limit_bytes: number): Uint8Array | null {
  checkSize(Math.floor((text.length * 3) / 4) - 2, limit_bytes)
  const bare = /\s/.test(text) ? text.replace(/\s+/g, '') : text
  if (!BASE64.test(bare) || bare.replace(/=+$/, '').length % 4 === 1) return null
  const bytes = Buffer.from(bare, 'base64')
  checkSize(bytes.byteLength, limit_bytes)
  return bytes
}

function decodePercent(text: string): Uint8Array | null {
  try {
    return Buffer.from(decodeURIComponent(text))
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

function checkSize(size_bytes: number, limit_bytes: number): void {
  if (size_bytes > limit_bytes) throw new KuraError('inline_blob_too_large', { limit_bytes })
}

/** A name without folders or control characters, at most 255 long; null when nothing is left. */
export function safeFilename(name: string): string | null {
  const base = name
    .split(/[/\\]/)
    .at(-1)!
    .replace(/\p{Cc}/gu, '')
    .trim()
  return base === '' || base === '.' || base === '..' ? null : base.slice(-255).toWellFormed()
}

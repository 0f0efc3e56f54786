import Type, { type Static } from 'typebox'
import { Defaulted } from '../../core/schema.ts'
import { connectionFailed } from './source-http.ts'
import { segmentsOf } from './walk-tree.ts'

export const BasicCredentials = Type.Object({
  type: Defaulted(Type.Enum(['basic']), 'basic'),
  username: Type.String({ minLength: 1, maxLength: 1024 }),
  password: Type.String({ maxLength: 16_384 }),
})

/** Headers that prove who asks, such as `authorization` with a token. */
export const HeaderCredentials = Type.Object({
  type: Defaulted(Type.Enum(['http_headers']), 'http_headers'),
  headers: Type.Record(Type.String({ maxLength: 256 }), Type.String({ maxLength: 16_384 })),
})

export type HttpCredentials =
  | Static<typeof BasicCredentials>
  | Static<typeof HeaderCredentials>
  | null
  | undefined

const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/
/** Headers of the connection, which are not for a configuration to say. */
const OWN_HEADERS = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'accept-encoding'])

/** The headers that credentials become. Throws `connection_failed` for what can be no header. */
export function headersOf(credentials: HttpCredentials): Record<string, string> {
  if (!credentials) return {}
  if (credentials.type === 'basic') {
    const pair = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')
    return { authorization: `Basic ${pair}` }
  }
  const headers = Object.entries(credentials.headers)
  for (const [name, value] of headers)
    if (!HEADER_NAME.test(name) || OWN_HEADERS.has(name.toLowerCase()) || /[\0\r\n]/.test(value))
      throw connectionFailed('the credentials hold a header that cannot be sent')
  return Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]))
}

/** The address that a configuration names. Throws `connection_failed`. */
export function baseAddress(base_url: string): URL {
  const url = URL.parse(base_url)
  if (!url) throw connectionFailed('base_url is not a valid URL')
  if (url.username !== '' || url.password !== '')
    throw connectionFailed('base_url holds a user name or password; they belong into credentials')
  url.hash = ''
  return url
}

/** The address of a path below the base; `/` is the base itself. Throws `connection_failed`. */
export function folderAddress(base: URL, path: string): URL {
  const { segments, error } = segmentsOf(path)
  if (error) throw connectionFailed(error)
  if (segments.length === 0) return base
  const url = new URL(base.href)
  url.pathname = `${url.pathname.replace(/\/*$/, '/')}${segments.map(encodeURIComponent).join('/')}`
  return url
}

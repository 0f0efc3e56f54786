import { createHash, createPublicKey, createVerify, generateKeyPairSync } from 'node:crypto'
import {
  type CloudServer,
  CloudTree,
  type Node,
  sendBytes,
  sendJson,
  startCloudServer,
} from './fake-cloud.ts'

const FOLDER = 'application/vnd.google-apps.folder'
export const DOCUMENT = 'application/vnd.google-apps.document'
const EMAIL = 'robot@project.iam.gserviceaccount.com'
/** Small, so that listings have pages; the real service has up to 1,000. */
const PAGE_FILES = 3

export type FakeDrive = CloudServer & {
  tree: CloudTree
  /** MIME types of nodes, by id. */
  types: Map<string, string>
  credentials: Record<string, string>
  oauth: Record<string, string>
  /** Access tokens that are still good. */
  tokens: Set<string>
}

/** Drive API v3 as far as reading goes, with a token service that checks the signature of assertions. */
export async function startFakeDrive(): Promise<FakeDrive> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const oauth = {
    type: 'oauth',
    client_id: 'app',
    client_secret: 'app-secret',
    refresh_token: 'refresh-secret',
  }
  const tree = new CloudTree()
  const types = new Map<string, string>()
  const tokens = new Set<string>()
  const server = await startCloudServer(({ url, body, headers }, response) => {
    if (url.pathname === '/token') {
      const form = new URLSearchParams(body)
      const isKnown = form.has('assertion')
        ? isSigned(
            form.get('assertion')!,
            publicKey.export({ type: 'spki', format: 'pem' }).toString(),
            url.href,
          )
        : form.get('refresh_token') === oauth.refresh_token &&
          form.get('client_secret') === oauth.client_secret
      if (!isKnown) return sendJson(response, 400, { error: 'invalid_grant', error_description: body })
      const access_token = `token-${tokens.size}-${Math.random()}`
      tokens.add(access_token)
      return sendJson(response, 200, { access_token, expires_in: 3600, token_type: 'Bearer' })
    }
    if (!tokens.has(String(headers.authorization).replace('Bearer ', '')))
      return sendJson(response, 401, { error: { code: 401, errors: [{ reason: 'authError' }] } })
    const query = url.searchParams
    const [, id, action] = /^\/drive\/v3\/files\/([^/]+)(\/export)?$/.exec(url.pathname) ?? []
    if (url.pathname === '/drive/v3/about') return sendJson(response, 200, { user: { emailAddress: EMAIL } })
    if (url.pathname === '/drive/v3/files') return sendJson(response, 200, list(query))
    const node = tree.nodes.get(id === 'root' ? 'top' : (id ?? ''))
    if (!node) return sendJson(response, 404, { error: { code: 404, errors: [{ reason: 'notFound' }] } })
    if (action) return sendBytes(response, Buffer.from(`%PDF-1.4 ${node.content}`), undefined)
    if (query.get('alt') === 'media') return sendBytes(response, node.content!, headers.range)
    sendJson(response, 200, describe(node))
  })

  function list(query: URLSearchParams): object {
    const q = query.get('q') ?? ''
    const text = (found: RegExpExecArray | null) => found?.[1]?.replace(/\\(.)/g, '$1')
    const parent = text(/^'((?:[^'\\]|\\.)*)' in parents/.exec(q)) ?? ''
    const name = text(/ name = '((?:[^'\\]|\\.)*)'/.exec(q))
    const type = text(/ mimeType = '([^']*)'/.exec(q))
    const found = tree
      .children(parent === 'root' ? 'top' : parent)
      .filter((node) => (name === undefined || node.name === name) && (!type || typeOf(node) === type))
    const start = Number(query.get('pageToken') ?? 0)
    const files = found.slice(start, start + PAGE_FILES).map(describe)
    const next = start + PAGE_FILES
    return { files, ...(next < found.length && { nextPageToken: String(next) }) }
  }

  const typeOf = (node: Node) => types.get(node.id) ?? (node.content ? 'text/plain' : FOLDER)

  const describe = (node: Node) => ({
    id: node.id,
    name: node.name,
    mimeType: typeOf(node),
    modifiedTime: node.changed_at,
    ...(node.content && {
      size: String(node.content.length),
      ...(!types.has(node.id) && { md5Checksum: createHash('md5').update(node.content).digest('hex') }),
      properties: { team: 'blue' },
    }),
  })

  const credentials = {
    type: 'service_account',
    project_id: 'project',
    private_key_id: 'key-1',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    client_email: EMAIL,
    client_id: '1',
  }
  return Object.assign(server, { tree, types, credentials, oauth, tokens })
}

/** Whether the assertion is ours: signature, issuer, audience, scope and time. */
function isSigned(assertion: string, key: string, audience: string): boolean {
  const [head = '', claims = '', signature = ''] = assertion.split('.')
  const isValid = createVerify('RSA-SHA256')
    .update(`${head}.${claims}`)
    .verify(createPublicKey(key), signature, 'base64url')
  const { iss, aud, scope, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString())
  // Behind a proxy the address differs in its port.
  const isHere = new URL(aud).pathname === new URL(audience).pathname
  return isValid && iss === EMAIL && isHere && /drive\.readonly$/.test(scope) && exp > Date.now() / 1000
}

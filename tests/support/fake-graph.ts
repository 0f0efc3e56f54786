import {
  type CloudServer,
  CloudTree,
  type Node,
  sendBytes,
  sendJson,
  startCloudServer,
} from './fake-cloud.ts'

/** Small, so that listings have pages; the real service has up to 200 and more. */
const PAGE_ITEMS = 3

export type FakeGraph = CloudServer & {
  tree: CloudTree
  site_id: string
  drive_id: string
  credentials: { type: string; tenant_id: string; client_id: string; client_secret: string }
  refresh_token: string
  /** Access tokens that are still good. */
  tokens: Set<string>
}

/** Microsoft Graph v1.0 as far as reading a drive goes, with its token service and downloads elsewhere. */
export async function startFakeGraph(): Promise<FakeGraph> {
  const tree = new CloudTree()
  const tokens = new Set<string>()
  const [site_id, drive_id, refresh_token] = ['kura.sharepoint.com,1,2', 'b!drive', 'refresh-secret']
  const credentials = {
    type: 'client_credentials',
    tenant_id: 'tenant',
    client_id: 'app',
    client_secret: 'app-secret',
  }
  const server = await startCloudServer(({ url, body, headers }, response) => {
    const path = url.pathname
    const refuse = (status: number, code: string) => sendJson(response, status, { error: { code } })
    if (path === `/${credentials.tenant_id}/oauth2/v2.0/token`) {
      const form = new URLSearchParams(body)
      const isKnown =
        form.get('client_secret') === credentials.client_secret &&
        form.get('scope')!.endsWith('/.default') &&
        (form.get('grant_type') === 'client_credentials' || form.get('refresh_token') === refresh_token)
      if (!isKnown) return sendJson(response, 401, { error: 'invalid_client', error_description: body })
      const access_token = `token-${tokens.size}-${Math.random()}`
      tokens.add(access_token)
      return sendJson(response, 200, { access_token, expires_in: 3600, token_type: 'Bearer' })
    }
    if (path.startsWith('/download/')) {
      // The address itself is the permission; the token of the API must not come along to another host.
      return sendBytes(response, tree.nodes.get(path.slice(10))!.content!, headers.range)
    }
    if (!tokens.has(String(headers.authorization).replace('Bearer ', '')))
      return refuse(401, 'InvalidAuthenticationToken')
    if (path === `/v1.0/sites/${encodeURIComponent(site_id)}/drive` || path === '/v1.0/me/drive')
      return sendJson(response, 200, { id: drive_id })
    const drive = `/v1.0/drives/${encodeURIComponent(drive_id)}`
    const origin = `http://${headers.host}`
    if (path === `${drive}/root/delta`) return sendPage([...tree.nodes.values()].reverse())
    const [, id] = new RegExp(`^${drive}/items/([^/]+)/content$`).exec(path) ?? []
    if (id) {
      if (!tree.nodes.has(id)) return refuse(404, 'itemNotFound')
      response.writeHead(302, { location: `${origin}/download/${id}` }).end()
      return
    }
    const [, place] = new RegExp(`^${drive}/root(?::/(.*):)?/children$`).exec(path) ?? []
    const folder = tree.at((place ?? '').split('/').map(decodeURIComponent).join('/'))
    if (!folder) return refuse(404, 'itemNotFound')
    sendPage(tree.children(folder.id))

    function sendPage(nodes: Node[]): void {
      const start = Number(url.searchParams.get('$skiptoken') ?? 0)
      const next = new URL(url.pathname + url.search, origin)
      next.searchParams.set('$skiptoken', String(start + PAGE_ITEMS))
      const hasMore = start + PAGE_ITEMS < nodes.length
      sendJson(response, 200, {
        value: nodes.slice(start, start + PAGE_ITEMS).map(describe),
        ...(hasMore ? { '@odata.nextLink': next.href } : { '@odata.deltaLink': `${origin}${path}?token=1` }),
      })
    }
  })

  const describe = (node: Node) => ({
    id: node.id,
    name: node.name,
    lastModifiedDateTime: node.changed_at,
    ...(node.parent === null ? { root: {} } : { parentReference: { id: node.parent, driveId: drive_id } }),
    ...(node.content
      ? {
          file: { mimeType: 'text/plain' },
          size: node.content.length,
          cTag: `"c:{${node.id}},${node.changed_at}"`,
        }
      : { folder: {} }),
  })
  return Object.assign(server, { tree, site_id, drive_id, credentials, refresh_token, tokens })
}

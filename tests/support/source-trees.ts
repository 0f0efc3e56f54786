import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadConfig } from '../../src/config.ts'
import { HttpClient } from '../../src/platform/net/http-client.ts'
import { findProvider } from '../../src/platform/sources/registry.ts'
import { sourceContext } from '../../src/platform/sources/source-context.ts'
import type { OpenSource, SourceConfig, SourceContext } from '../../src/platform/sources/source-provider.ts'
import { startFakeDrive } from './fake-drive.ts'
import { startFakeGraph } from './fake-graph.ts'
import { RCLONE_MISSING, startRclone } from './rclone-server.ts'
import { S3_SERVER_MISSING, startS3Server } from './s3-server.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** A real server with a tree of files, and how a connection reaches it. */
export type SourceTree = {
  config: SourceConfig
  /** The folder of the tree, as `source_path`. */
  source_path: string
  put(path: string, content: string | Uint8Array): Promise<void>
  remove(path: string): Promise<void>
  /** Configurations that cannot work; absent where the provider has no such thing. */
  wrong_password?: SourceConfig
  wrong_host?: SourceConfig
  /** Text that no error may hold. */
  secret?: string
  proxy?: TcpProxy
  /** Settings of the server. */
  settings?: Partial<Parameters<typeof sourceContext>[0]>
  close(): Promise<void>
}

export type TreeSource = {
  provider_type: string
  skip: string | false
  /** Folders without files exist of themselves; elsewhere there is no such thing. */
  has_empty_folders: boolean
  /** What a name may not hold at this kind of server. */
  forbidden?: RegExp
  start(): Promise<SourceTree>
}

/** What providers get of a server that may reach 127.0.0.1, and how to close it. */
export function contextOf({ settings }: Pick<SourceTree, 'settings'>): {
  context: SourceContext
  close(): Promise<void>
} {
  const config = { ...loadConfig({}), allowed_private_hosts: '127.0.0.1', ...settings }
  const http = new HttpClient(config)
  return { context: sourceContext(config, http), close: () => http.close() }
}

/** Opens a source, gives it to `work` and closes all. */
export async function withTree<T>(
  provider_type: string,
  tree: Pick<SourceTree, 'config' | 'settings'>,
  work: (source: OpenSource) => Promise<T>,
): Promise<T> {
  const { context, close } = contextOf(tree)
  try {
    const source = await findProvider(provider_type)!.open(tree.config, context)
    try {
      return await work(source)
    } finally {
      await source.close()
    }
  } finally {
    await close()
  }
}

async function folderTree() {
  const folder = await mkdtemp(join(tmpdir(), 'kura-tree-'))
  return {
    folder,
    async put(path: string, content: string | Uint8Array) {
      if (path.endsWith('/')) return void (await mkdir(join(folder, path), { recursive: true }))
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), content)
    },
    remove: (path: string) => rm(join(folder, path), { recursive: true }),
  }
}

async function localTree(): Promise<SourceTree> {
  const { folder, put, remove } = await folderTree()
  return {
    config: { root: folder },
    source_path: '/',
    put,
    remove,
    settings: { local_source_roots: folder },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

async function s3Tree(): Promise<SourceTree> {
  const server = await startS3Server()
  const proxy = await startTcpProxy(Number(new URL(server.endpoint).port))
  const { PutObjectCommand, DeleteObjectCommand } = await import('@aws-sdk/client-s3')
  await server.createBucket('tree')
  const { access_key_id, secret_access_key, region } = server
  const config = {
    credentials: { access_key_id, secret_access_key },
    region,
    endpoint_url: `http://127.0.0.1:${proxy.port}`,
  }
  return {
    config,
    source_path: 'tree/top',
    async put(path, content) {
      const command = new PutObjectCommand({ Bucket: 'tree', Key: `top/${path}`, Body: content })
      await server.client.send(command)
    },
    async remove(path) {
      await server.client.send(new DeleteObjectCommand({ Bucket: 'tree', Key: `top/${path}` }))
    },
    wrong_password: { ...config, credentials: { access_key_id, secret_access_key: 'not-the-secret' } },
    wrong_host: { ...config, endpoint_url: 'http://127.0.0.1:1' },
    secret: secret_access_key,
    proxy,
    async close() {
      await proxy.close()
      await server.stop()
    },
  }
}

async function rcloneTree(
  protocol: 'http' | 'webdav' | 'sftp',
  configOf: (port: number, user: string, password: string) => SourceConfig,
): Promise<SourceTree> {
  const { folder, put, remove } = await folderTree()
  const server = await startRclone(protocol, folder)
  const proxy = await startTcpProxy(server.port)
  return {
    config: configOf(proxy.port, server.user, server.password),
    source_path: '/',
    put,
    remove,
    wrong_password: configOf(proxy.port, server.user, 'wrong-secret'),
    wrong_host: configOf(1, server.user, server.password),
    secret: server.password,
    proxy,
    async close() {
      await proxy.close()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function driveTree(): Promise<SourceTree> {
  const drive = await startFakeDrive()
  const proxy = await startTcpProxy(drive.port)
  const address = `http://127.0.0.1:${proxy.port}`
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const private_key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return {
    config: { credentials: drive.credentials },
    source_path: '/',
    put: async (path, content) => void drive.tree.put(path, content),
    remove: async (path) => drive.tree.remove(path),
    wrong_password: { credentials: { ...drive.credentials, private_key } },
    secret: drive.credentials.private_key,
    proxy,
    settings: { google_api_url: address, google_token_url: `${address}/token` },
    async close() {
      await proxy.close()
      await drive.close()
    },
  }
}

async function graphTree(): Promise<SourceTree> {
  const graph = await startFakeGraph()
  const proxy = await startTcpProxy(graph.port)
  const address = `http://127.0.0.1:${proxy.port}`
  return {
    config: { credentials: graph.credentials, site_id: graph.site_id },
    source_path: '/',
    put: async (path, content) => void graph.tree.put(path, content),
    remove: async (path) => graph.tree.remove(path),
    wrong_password: {
      credentials: { ...graph.credentials, client_secret: 'wrong-secret' },
      site_id: graph.site_id,
    },
    secret: graph.credentials.client_secret,
    proxy,
    settings: { microsoft_graph_url: `${address}/v1.0`, microsoft_login_url: address },
    async close() {
      await proxy.close()
      await graph.close()
    },
  }
}

const byAddress = (port: number, username: string, password: string): SourceConfig => ({
  base_url: `http://127.0.0.1:${port}`,
  credentials: { type: 'basic', username, password },
})

const byHost = (port: number, username: string, password: string): SourceConfig => ({
  host: '127.0.0.1',
  port,
  credentials: { type: 'password', username, password },
})

/** Every provider that has a tree; its server is real, or speaks the real protocol. */
export const TREE_SOURCES: readonly TreeSource[] = [
  { provider_type: 'local', skip: false, has_empty_folders: true, start: localTree },
  { provider_type: 's3', skip: S3_SERVER_MISSING, has_empty_folders: false, start: s3Tree },
  {
    provider_type: 'http',
    skip: RCLONE_MISSING,
    has_empty_folders: true,
    start: () => rcloneTree('http', byAddress),
  },
  {
    provider_type: 'webdav',
    skip: RCLONE_MISSING,
    has_empty_folders: true,
    start: () => rcloneTree('webdav', byAddress),
  },
  {
    provider_type: 'sftp',
    skip: RCLONE_MISSING,
    has_empty_folders: true,
    start: () => rcloneTree('sftp', byHost),
  },
  { provider_type: 'google_drive', skip: false, has_empty_folders: true, start: driveTree },
  { provider_type: 'sharepoint', skip: false, has_empty_folders: true, start: graphTree },
]

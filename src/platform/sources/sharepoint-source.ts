import Type from 'typebox'
import { Defaulted, optional } from '../../core/schema.ts'
import { parseInstant, toTimestamp } from '../../core/time.ts'
import { CloudApi, fetchOAuthToken } from './cloud-api.ts'
import { DeltaPaths, type DriveItem } from './sharepoint-delta.ts'
import { connectionFailed, contentOf } from './source-http.ts'
import type {
  BrowseOptions,
  OpenSource,
  SourceContent,
  SourceContext,
  SourceFile,
  SourceFolder,
  SourceItem,
  SourceListOptions,
  SourceProvider,
  SourceReadOptions,
} from './source-provider.ts'
import { segmentsOf, type TreeChild, walkTree } from './walk-tree.ts'

const PAGE_ITEMS = 200
const FIELDS =
  'id,name,size,file,folder,root,deleted,parentReference,lastModifiedDateTime,createdDateTime,cTag,eTag,webUrl'

const Text = Type.String({ minLength: 1, maxLength: 4096 })
const App = { tenant_id: Text, client_id: Text, client_secret: Text }

const ClientCredentials = Type.Object({
  type: Defaulted(Type.Enum(['client_credentials']), 'client_credentials'),
  ...App,
})

const Delegated = Type.Object({
  type: Defaulted(Type.Enum(['delegated']), 'delegated'),
  ...App,
  refresh_token: Type.String({ minLength: 1, maxLength: 16_384 }),
})

type Settings = {
  credentials: { tenant_id: string; client_id: string; client_secret: string; refresh_token?: string }
  site_id?: string | null
  drive_id?: string | null
  folder_path?: string | null
}

/** Document libraries of SharePoint and OneDrive, through Microsoft Graph. */
export const sharepointSource: SourceProvider = {
  provider_type: 'sharepoint',
  config: Type.Object({
    credentials: Type.Union([ClientCredentials, Delegated]),
    site_id: optional(Type.String({ maxLength: 1024 })),
    drive_id: optional(Type.String({ maxLength: 1024 })),
    folder_path: optional(Type.String({ maxLength: 2048 })),
  }),
  secrets: ['credentials.client_secret', 'credentials.refresh_token'],
  checkPath: (source_path) => segmentsOf(source_path).error,
  open: async (config, context) => new SharepointSource(config as unknown as Settings, context),
}

type Page = { value?: DriveItem[]; '@odata.nextLink'?: string }

class SharepointSource implements OpenSource {
  readonly #api: CloudApi
  readonly #graph: string
  readonly #settings: Settings
  #drive: string | undefined

  constructor(settings: Settings, { http, clouds }: SourceContext) {
    this.#graph = clouds.microsoft_graph_url
    this.#settings = settings
    const { tenant_id, client_id, client_secret, refresh_token } = settings.credentials
    const token_url = `${clouds.microsoft_login_url}/${encodeURIComponent(tenant_id)}/oauth2/v2.0/token`
    this.#api = new CloudApi(http, {
      fetchToken: (signal) => {
        const scope = `${this.#address('').origin}/.default`
        const grant: Record<string, string> = refresh_token
          ? { grant_type: 'refresh_token', refresh_token }
          : { grant_type: 'client_credentials' }
        return fetchOAuthToken(http, token_url, { client_id, client_secret, scope, ...grant }, signal)
      },
      reasonOf: (body) => {
        const { error } = (body ?? {}) as { error?: { code?: unknown } }
        return String(error?.code ?? '').replace(/\W/g, '')
      },
    })
  }

  async test(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#children(this.#segments(''), signal)) return
  }

  /** The whole drive comes as one delta, without a request a folder; a folder of it is walked. */
  async *list(source_path: string, { signal }: SourceListOptions): AsyncGenerator<SourceItem> {
    const segments = this.#segments(source_path)
    const drive = await this.#driveId(signal)
    if (segments.length === 0) {
      yield* this.#delta(drive, signal)
      return
    }
    yield* walkTree(segments, { signal }, (folder, path) => this.#tree(drive, folder, path, signal))
  }

  async read(file: SourceFile, { signal, limit_bytes }: SourceReadOptions): Promise<SourceContent> {
    const { drive_id, item_id } = file.properties as { drive_id: string; item_id: string }
    const url = this.#address(
      `/drives/${encodeURIComponent(drive_id)}/items/${encodeURIComponent(item_id)}/content`,
    )
    return contentOf(await this.#api.file(url, signal), { signal, limit_bytes }, null)
  }

  async browse(path: string, { signal, max_results }: BrowseOptions) {
    const place = segmentsOf(path).segments.join('/')
    const drive = await this.#driveId(signal)
    const folders: SourceFolder[] = []
    const files: SourceFile[] = []
    for await (const one of this.#children(this.#segments(path), signal)) {
      const at = joined(place, one.name)
      if (one.file && files.length < max_results) files.push(fileOf(drive, one, at))
      if (one.folder && folders.length < max_results)
        folders.push({ id: one.id, name: one.name, path: `/${at}` })
      if (folders.length === max_results && files.length === max_results) break
    }
    return { folders, files }
  }

  async close(): Promise<void> {
    // The connections are those of the server's one HTTP client.
  }

  async *#delta(drive: string, signal: AbortSignal): AsyncGenerator<SourceItem> {
    const paths = new DeltaPaths()
    const start = this.#address(`/drives/${encodeURIComponent(drive)}/root/delta`)
    for await (const one of this.#pages(start, signal))
      for (const { item, path } of paths.place(one)) yield fileOf(drive, item, path)
    for (const { item, path } of paths.rest()) yield fileOf(drive, item, path)
  }

  async *#tree(
    drive: string,
    folder: string[],
    path: string,
    signal: AbortSignal,
  ): AsyncGenerator<TreeChild<string[]>> {
    for await (const one of this.#children(folder, signal)) {
      const at = joined(path, one.name)
      if (one.file) yield { item: fileOf(drive, one, at) }
      // What is neither (a notebook, a link) has no bytes of its own.
      else if (one.folder) yield { folder: [...folder, one.name], source_id: `${drive}/${one.id}`, path: at }
    }
  }

  async *#children(folder: readonly string[], signal: AbortSignal): AsyncGenerator<DriveItem> {
    const drive = await this.#driveId(signal)
    const place = folder.length === 0 ? 'root' : `root:/${folder.map(encodeURIComponent).join('/')}:`
    yield* this.#pages(this.#address(`/drives/${encodeURIComponent(drive)}/${place}/children`), signal)
  }

  async *#pages(start: URL, signal: AbortSignal): AsyncGenerator<DriveItem> {
    const seen = new Set<string>()
    start.searchParams.set('$top', String(PAGE_ITEMS))
    start.searchParams.set('$select', FIELDS)
    for (let url: URL | null = start; url; ) {
      const page: Page = await this.#api.json<Page>(url, signal, 'the folder')
      yield* page.value ?? []
      const next = page['@odata.nextLink']
      if (next === undefined) return
      url = URL.parse(next)
      // The token goes with the request, so the next page may be nowhere else.
      if (url?.origin !== start.origin || seen.has(next)) throw connectionFailed('the listing does not go on')
      seen.add(next)
    }
  }

  /** The id of the drive that the configuration names: a drive, that of a site, or one's own. */
  async #driveId(signal: AbortSignal): Promise<string> {
    if (this.#drive !== undefined) return this.#drive
    const { site_id, drive_id, credentials } = this.#settings
    if (drive_id) {
      this.#drive = drive_id
      return drive_id
    }
    if (!site_id && !credentials.refresh_token)
      throw connectionFailed('an application has no drive of its own: name site_id or drive_id')
    const place = site_id ? `/sites/${encodeURIComponent(site_id)}/drive` : '/me/drive'
    const { id } = await this.#api.json<{ id?: string }>(this.#address(place), signal, 'the drive')
    if (!id) throw connectionFailed('the drive has no id')
    this.#drive = id
    return id
  }

  /** Segments below the root of the drive. Throws `connection_failed`. */
  #segments(source_path: string): string[] {
    const { segments, error } = segmentsOf(`${this.#settings.folder_path ?? ''}/${source_path}`)
    if (error) throw connectionFailed(error)
    return segments
  }

  #address(path: string): URL {
    const url = URL.parse(`${this.#graph}${path}`)
    if (!url) throw connectionFailed('microsoft_graph_url of this server is not a valid URL')
    return url
  }
}

function fileOf(drive_id: string, one: DriveItem, path: string): SourceFile {
  const modified = parseInstant(one.lastModifiedDateTime ?? '')
  const { id, webUrl, createdDateTime, lastModifiedDateTime } = one
  return {
    kind: 'file',
    source_id: `${drive_id}/${id}`,
    version: one.cTag ?? one.eTag ?? `${one.size ?? ''}-${lastModifiedDateTime ?? ''}`,
    path,
    name: one.name,
    size_bytes: one.size ?? null,
    modified_at: modified === null ? null : toTimestamp(modified),
    mime_type: one.file?.mimeType ?? null,
    properties: { id, webUrl, createdDateTime, lastModifiedDateTime, drive_id, item_id: id },
  }
}

const joined = (path: string, name: string) => (path === '' ? name : `${path}/${name}`)

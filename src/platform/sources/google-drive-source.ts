import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { Defaulted, optional } from '../../core/schema.ts'
import { parseInstant, toTimestamp } from '../../core/time.ts'
import { CloudApi } from './cloud-api.ts'
import { type DriveCredentials, fetchDriveToken } from './google-drive-token.ts'
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

const PAGE_FILES = 1000
const FOLDER = 'application/vnd.google-apps.folder'
const SHORTCUT = 'application/vnd.google-apps.shortcut'
const GOOGLE_TYPE = 'application/vnd.google-apps.'
/** Files without bytes of their own that Google gives as PDF. */
const EXPORTED = new Set(
  ['document', 'spreadsheet', 'presentation', 'drawing'].map((name) => GOOGLE_TYPE + name),
)
const FIELDS =
  'id,name,mimeType,size,modifiedTime,createdTime,md5Checksum,description,webViewLink,starred,properties,appProperties'

const Text = Type.String({ minLength: 1, maxLength: 4096 })

const ServiceAccount = Type.Object({
  type: Defaulted(Type.Enum(['service_account']), 'service_account'),
  project_id: Text,
  private_key_id: Text,
  private_key: Type.String({ minLength: 1, maxLength: 65_536 }),
  client_email: Text,
  client_id: Text,
})

const OAuth = Type.Object({
  type: Defaulted(Type.Enum(['oauth']), 'oauth'),
  client_id: Text,
  client_secret: Text,
  refresh_token: Text,
})

type Settings = {
  credentials: DriveCredentials
  shared_drive_id?: string | null
  impersonate_user?: string | null
}

/** Google Drive (API v3): My Drive of a user or a service account, or one shared drive. */
export const googleDriveSource: SourceProvider = {
  provider_type: 'google_drive',
  config: Type.Object({
    credentials: Type.Union([ServiceAccount, OAuth]),
    shared_drive_id: optional(Type.String({ maxLength: 256 })),
    impersonate_user: optional(Type.String({ maxLength: 256 })),
  }),
  secrets: ['credentials.private_key', 'credentials.client_secret', 'credentials.refresh_token'],
  checkPath: (source_path) => segmentsOf(source_path).error,
  open: async (config, context) => new GoogleDriveSource(config as unknown as Settings, context),
}

type DriveFile = {
  id: string
  name: string
  mimeType: string
  size?: string
  modifiedTime?: string
  createdTime?: string
  md5Checksum?: string
  description?: string
  webViewLink?: string
  starred?: boolean
  properties?: Record<string, string>
  appProperties?: Record<string, string>
}

class GoogleDriveSource implements OpenSource {
  readonly #api: CloudApi
  readonly #files: string
  readonly #about: string
  readonly #shared_drive_id: string | null

  constructor(settings: Settings, { http, clouds }: SourceContext) {
    this.#files = `${clouds.google_api_url}/drive/v3/files`
    this.#about = `${clouds.google_api_url}/drive/v3/about`
    this.#shared_drive_id = settings.shared_drive_id || null
    this.#api = new CloudApi(http, {
      fetchToken: (signal) => fetchDriveToken(http, clouds.google_token_url, settings, signal),
      reasonOf: (body) => {
        const { error } = (body ?? {}) as { error?: { errors?: { reason?: unknown }[] } }
        return String(error?.errors?.[0]?.reason ?? '').replace(/\W/g, '')
      },
    })
  }

  async test(signal: AbortSignal): Promise<void> {
    await this.#api.json(addressOf(this.#about, { fields: 'user' }), signal, 'the account')
    if (this.#shared_drive_id) for await (const _ of this.#children(this.#shared_drive_id, signal)) return
  }

  async *list(source_path: string, { signal }: SourceListOptions): AsyncGenerator<SourceItem> {
    const start = await this.#folder(source_path, signal)
    yield* walkTree(start, { signal }, (id, path) => this.#tree(id, path, signal))
  }

  async read(file: SourceFile, { signal, limit_bytes }: SourceReadOptions): Promise<SourceContent> {
    const { drive_id, drive_mime_type } = file.properties as { drive_id: string; drive_mime_type: string }
    const address = `${this.#files}/${encodeURIComponent(drive_id)}`
    if (!drive_mime_type.startsWith(GOOGLE_TYPE)) {
      const url = addressOf(address, { alt: 'media', supportsAllDrives: 'true' })
      return contentOf(await this.#api.file(url, signal), { signal, limit_bytes }, null)
    }
    if (!EXPORTED.has(drive_mime_type))
      throw new KuraError('source_item_unreadable', { reason: `Google exports no ${drive_mime_type}` })
    const url = addressOf(`${address}/export`, { mimeType: 'application/pdf' })
    return contentOf(await this.#api.file(url, signal), { signal, limit_bytes }, null)
  }

  async browse(path: string, { signal, max_results }: BrowseOptions) {
    const place = segmentsOf(path).segments.join('/')
    const folders: SourceFolder[] = []
    const files: SourceFile[] = []
    for await (const one of this.#children(await this.#folder(path, signal), signal)) {
      const at = place === '' ? one.name : `${place}/${one.name}`
      if (one.mimeType !== FOLDER && files.length < max_results) files.push(fileOf(one, place))
      if (one.mimeType === FOLDER && folders.length < max_results)
        folders.push({ id: one.id, name: one.name, path: `/${at}` })
      if (folders.length === max_results && files.length === max_results) break
    }
    return { folders, files }
  }

  async close(): Promise<void> {
    // The connections are those of the server's one HTTP client.
  }

  async *#tree(id: string, path: string, signal: AbortSignal): AsyncGenerator<TreeChild<string>> {
    for await (const one of this.#children(id, signal)) {
      if (one.mimeType !== FOLDER) yield { item: fileOf(one, path) }
      else yield { folder: one.id, source_id: one.id, path: path === '' ? one.name : `${path}/${one.name}` }
    }
  }

  /** Shortcuts are left out: what they point to is listed where it lies, if it is meant to be. */
  async *#children(folder_id: string, signal: AbortSignal, more = ''): AsyncGenerator<DriveFile> {
    const drive = this.#shared_drive_id
    let token: string | undefined
    do {
      const url = addressOf(this.#files, {
        q: `'${quoted(folder_id)}' in parents and trashed = false and mimeType != '${SHORTCUT}'${more}`,
        fields: `nextPageToken,files(${FIELDS})`,
        pageSize: String(PAGE_FILES),
        supportsAllDrives: 'true',
        includeItemsFromAllDrives: 'true',
        ...(drive && { corpora: 'drive', driveId: drive }),
        ...(token && { pageToken: token }),
      })
      const page = await this.#api.json<{ files?: DriveFile[]; nextPageToken?: string }>(
        url,
        signal,
        'the folder',
      )
      yield* page.files ?? []
      // A server that repeats its token would be asked for the same page for ever.
      if (page.nextPageToken && page.nextPageToken === token)
        throw connectionFailed('the listing does not go on')
      token = page.nextPageToken
    } while (token)
  }

  /** The id of a folder, by names from the top; a path of one segment may also be the id itself. */
  async #folder(path: string, signal: AbortSignal): Promise<string> {
    const { segments, error } = segmentsOf(path)
    if (error) throw connectionFailed(error)
    let id = this.#shared_drive_id ?? 'root'
    for (const name of segments) {
      const found = await this.#child(id, name, signal)
      if (found) id = found
      else if (segments.length === 1) return this.#byId(name, signal)
      else throw connectionFailed('the folder does not exist, or is not shared with the account')
    }
    return id
  }

  async #child(parent: string, name: string, signal: AbortSignal): Promise<string | null> {
    const more = ` and mimeType = '${FOLDER}' and name = '${quoted(name)}'`
    for await (const one of this.#children(parent, signal, more)) return one.id
    return null
  }

  async #byId(id: string, signal: AbortSignal): Promise<string> {
    const url = addressOf(`${this.#files}/${encodeURIComponent(id)}`, {
      fields: 'id,mimeType',
      supportsAllDrives: 'true',
    })
    const found = await this.#api.json<DriveFile>(url, signal, 'the folder')
    if (found.mimeType !== FOLDER) throw connectionFailed('the path is no folder')
    return found.id
  }
}

function fileOf(one: DriveFile, folder: string): SourceFile {
  const isExported = EXPORTED.has(one.mimeType)
  // Names may hold slashes here, which are no folders.
  const plain = one.name.replace(/\//g, '_')
  const name = isExported ? `${plain}.pdf` : plain
  const modified = parseInstant(one.modifiedTime ?? '')
  const size = /^\d{1,15}$/.test(one.size ?? '') ? Number(one.size) : null
  const { properties, appProperties, description, webViewLink, starred, createdTime } = one
  return {
    kind: 'file',
    source_id: one.id,
    version: one.md5Checksum ?? one.modifiedTime ?? '',
    path: folder === '' ? name : `${folder}/${name}`,
    name,
    size_bytes: isExported ? null : size,
    modified_at: modified === null ? null : toTimestamp(modified),
    mime_type: isExported ? 'application/pdf' : one.mimeType,
    properties: {
      ...{ description, webViewLink, starred, createdTime },
      ...{ id: one.id, name: one.name, modifiedTime: one.modifiedTime, mimeType: one.mimeType },
      ...appProperties,
      ...properties,
      drive_id: one.id,
      drive_mime_type: one.mimeType,
    },
  }
}

function addressOf(base: string, query: Record<string, string>): URL {
  const url = URL.parse(base)
  if (!url) throw connectionFailed('google_api_url of this server is not a valid URL')
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

/** A text in the query language of Drive. */
const quoted = (text: string) => text.replace(/[\\']/g, '\\$&')

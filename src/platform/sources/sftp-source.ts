import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { Defaulted, optional } from '../../core/schema.ts'
import { toTimestamp } from '../../core/time.ts'
import { isEnd, SftpChannel, type SftpSession, type SftpSettings } from './sftp-channel.ts'
import { connectionFailed } from './source-http.ts'
import type {
  BrowseOptions,
  OpenSource,
  SourceContent,
  SourceFile,
  SourceFolder,
  SourceItem,
  SourceListOptions,
  SourceProvider,
  SourceReadOptions,
} from './source-provider.ts'
import { segmentsOf, type TreeChild, walkTree } from './walk-tree.ts'

const READ_BYTES = 256 * 1024
/** File types in the mode of a file (POSIX). */
const TYPE_MASK = 0o170000
const FOLDER = 0o040000
const FILE = 0o100000

const Username = Type.String({ minLength: 1, maxLength: 256 })

const Password = Type.Object({
  type: Defaulted(Type.Enum(['password']), 'password'),
  username: Username,
  password: Type.String({ maxLength: 1024 }),
})

const PrivateKey = Type.Object({
  type: Defaulted(Type.Enum(['private_key']), 'private_key'),
  username: Username,
  private_key: Type.String({ minLength: 1, maxLength: 65_536 }),
  passphrase: optional(Type.String({ maxLength: 1024 })),
})

/** Folders of an SSH server. Symbolic links are left out: they can lead anywhere, also in circles. */
export const sftpSource: SourceProvider = {
  provider_type: 'sftp',
  config: Type.Object({
    host: Type.String({ minLength: 1, maxLength: 253 }),
    port: Defaulted(Type.Integer({ minimum: 1, maximum: 65535 }), 22),
    credentials: Type.Union([Password, PrivateKey]),
    host_key_sha256: optional(Type.String({ pattern: '^(SHA256:)?[A-Za-z0-9+/]{43}=?$' })),
  }),
  secrets: ['credentials.password', 'credentials.private_key', 'credentials.passphrase'],
  checkPath: (source_path) => segmentsOf(source_path).error,
  open: async (config, { guard }) => new SftpSource(config as unknown as SftpSettings, guard),
}

type Attributes = { mode: number; size: number; mtime: number }
type Entry = { filename: string; attrs: Attributes }

class SftpSource implements OpenSource {
  readonly #channel: SftpChannel
  readonly #server: string

  constructor(settings: SftpSettings, guard: ConstructorParameters<typeof SftpChannel>[1]) {
    this.#channel = new SftpChannel(settings, guard)
    this.#server = `sftp://${settings.host.toLowerCase()}:${settings.port}`
  }

  async test(signal: AbortSignal): Promise<void> {
    await this.#start('.', signal)
  }

  async *list(source_path: string, { signal }: SourceListOptions): AsyncGenerator<SourceItem> {
    const start = await this.#start(remotePath(source_path), signal)
    yield* walkTree(start, { signal }, (folder, path) => this.#children(folder, path, signal))
  }

  async read({ properties }: SourceFile, { signal, limit_bytes }: SourceReadOptions): Promise<SourceContent> {
    const path = (properties as { remote_path: string }).remote_path
    const session = await this.#channel.session(signal)
    const handle = await session.ask<Buffer>(signal, (sftp, answer) => sftp.open(path, 'r', answer))
    try {
      const before = await attributesOf(session, handle, signal)
      if (before.size > limit_bytes) throw new KuraError('source_file_too_large', { limit_bytes })
      return {
        body: bytesOf(session, handle, before, { signal, limit_bytes }),
        version: versionOf(before),
        mime_type: null,
      }
    } catch (error) {
      await session.leave(handle)
      throw error
    }
  }

  async browse(path: string, { signal, max_results }: BrowseOptions) {
    const start = await this.#start(remotePath(path), signal)
    const place = segmentsOf(path).segments.join('/')
    const folders: SourceFolder[] = []
    const files: SourceFile[] = []
    for await (const child of this.#children(start, place, signal)) {
      if ('folder' in child) {
        const id = child.path
        if (folders.length < max_results) folders.push({ id, name: id.split('/').at(-1)!, path: `/${id}` })
      } else if (child.item.kind === 'file' && files.length < max_results) files.push(child.item)
      if (folders.length === max_results && files.length === max_results) break
    }
    return { folders, files }
  }

  close(): Promise<void> {
    return this.#channel.close()
  }

  /** The absolute form of a folder, so that a file has one identity however its folder was named. */
  async #start(path: string, signal: AbortSignal): Promise<string> {
    const session = await this.#channel.session(signal)
    try {
      const real = await session.ask<string>(signal, (sftp, answer) => sftp.realpath(path, answer))
      const { mode } = await session.ask<Attributes>(signal, (sftp, answer) => sftp.stat(real, answer))
      if ((mode & TYPE_MASK) === FOLDER) return real === '/' ? '' : real
    } catch (error) {
      const code = error instanceof KuraError ? error.code : ''
      if (code === 'source_item_gone') throw connectionFailed('the folder does not exist', error)
      if (code === 'source_item_unreadable') throw connectionFailed('the folder may not be read', error)
      throw error
    }
    throw connectionFailed('the path is no folder')
  }

  /** Read part by part, as the server sends it: a folder may hold any number of entries. */
  async *#children(folder: string, path: string, signal: AbortSignal): AsyncGenerator<TreeChild<string>> {
    const at = folder === '' ? '/' : folder
    const session = await this.#channel.session(signal)
    const handle = await session.ask<Buffer>(signal, (sftp, answer) => sftp.opendir(at, answer))
    try {
      for (;;) {
        for (const entry of await entriesOf(session, handle, signal)) {
          const child = this.#child(folder, path, entry)
          if (child) yield child
        }
      }
    } catch (error) {
      if (!isEnd(error)) throw error
    } finally {
      await session.leave(handle)
    }
  }

  #child(folder: string, base: string, { filename: name, attrs }: Entry): TreeChild<string> | null {
    // A name is one segment; a server that sends more would lead elsewhere.
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) return null
    const remote_path = `${folder}/${name}`
    const source_id = `${this.#server}${remote_path}`
    const path = base === '' ? name : `${base}/${name}`
    const type = attrs.mode & TYPE_MASK
    if (type === FOLDER) return { folder: remote_path, source_id, path }
    if (type !== FILE) return null
    const item: SourceFile = {
      kind: 'file',
      source_id,
      version: versionOf(attrs),
      path,
      name,
      size_bytes: attrs.size,
      modified_at: toTimestamp(attrs.mtime * 1000),
      mime_type: null,
      properties: { remote_path },
    }
    return { item }
  }
}

/** Throws what `isEnd` knows when there are no more. */
function entriesOf(session: SftpSession, handle: Buffer, signal: AbortSignal): Promise<Entry[]> {
  return session.ask(signal, (sftp, answer) =>
    // The types know only the form that reads a whole folder into memory.
    sftp.readdir(handle as unknown as string, answer),
  )
}

function attributesOf(session: SftpSession, handle: Buffer, signal: AbortSignal): Promise<Attributes> {
  return session.ask(signal, (sftp, answer) => sftp.fstat(handle, answer))
}

/** The bytes of a file; throws `source_item_changed` when it was written to meanwhile. */
async function* bytesOf(
  session: SftpSession,
  handle: Buffer,
  before: Attributes,
  { signal, limit_bytes }: { signal: AbortSignal; limit_bytes: number },
): AsyncGenerator<Uint8Array> {
  try {
    let size_bytes = 0
    for (;;) {
      const chunk = await partOf(session, handle, size_bytes, signal)
      if (chunk.byteLength === 0) break
      size_bytes += chunk.byteLength
      if (size_bytes > limit_bytes) throw new KuraError('source_file_too_large', { limit_bytes })
      yield chunk
    }
    const after = await attributesOf(session, handle, signal)
    if (versionOf(after) !== versionOf(before) || after.size !== size_bytes)
      throw new KuraError('source_item_changed')
  } finally {
    await session.leave(handle)
  }
}

/** Empty at the end of the file. */
async function partOf(
  session: SftpSession,
  handle: Buffer,
  position: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  try {
    const size = await session.ask<number>(signal, (sftp, answer) =>
      sftp.read(handle, buffer, 0, READ_BYTES, position, (error, read) => answer(error, read)),
    )
    return buffer.subarray(0, size)
  } catch (error) {
    if (isEnd(error)) return buffer.subarray(0, 0)
    throw error
  }
}

const versionOf = ({ size, mtime }: Attributes) => `${size}-${mtime}`

/** Absolute with a slash at the start, else below the folder of the log-in. */
function remotePath(path: string): string {
  const { segments, error } = segmentsOf(path)
  if (error) throw connectionFailed(error)
  const joined = segments.join('/')
  if (path.startsWith('/')) return `/${joined}`
  return joined === '' ? '.' : joined
}

import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, open, opendir, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'
import Type from 'typebox'
import { KuraError } from '../../core/errors.ts'
import { toTimestamp } from '../../core/time.ts'
import { limitedBody } from './limited-body.ts'
import type {
  OpenSource,
  SourceContent,
  SourceFault,
  SourceFile,
  SourceItem,
  SourceProvider,
} from './source-provider.ts'
import { segmentsOf } from './walk-tree.ts'

/** Deeper folders are reported as faults: a listing must end. */
const DEPTH_MAX = 64
const READ_BYTES = 256 * 1024

/**
 * A folder of this machine below a root that the operator has listed. Symbolic links are never
 * followed, neither when listing nor when reading, so nothing outside the folder can be reached.
 */
export const localSource: SourceProvider = {
  provider_type: 'local',
  config: Type.Object({
    root: Type.String({ minLength: 1, description: 'Absolute folder at or below an operator-listed root.' }),
  }),
  secrets: [],
  checkPath: (source_path) => segmentsOf(source_path).error,
  async open({ root }, { local_source_roots }) {
    return new LocalSource(await allowedRoot(root as string, local_source_roots))
  },
}

async function allowedRoot(root: string, allowed: readonly string[]): Promise<string> {
  if (allowed.length === 0)
    throw failed('this server lists no folders for local connections (local_source_roots)')
  if (!isAbsolute(root) || root.includes('\0')) throw failed('root must be an absolute path')
  const real = await realpath(root).catch((cause) => {
    throw failed('the folder does not exist or cannot be read', cause)
  })
  for (const one of allowed) {
    const base = await realpath(one).catch(() => null)
    if (base !== null && isWithin(base, real)) return real
  }
  throw failed('the folder is not below a root that the operator allows (local_source_roots)')
}

function isWithin(base: string, path: string): boolean {
  const way = relative(base, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

class LocalSource implements OpenSource {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  async test(): Promise<void> {
    await this.#folder('')
  }

  async *list(source_path: string, { signal }: { signal: AbortSignal }): AsyncGenerator<SourceItem> {
    yield* this.#walk(await this.#folder(source_path), '', 0, signal)
  }

  async browse(path: string, { signal, max_results }: { signal: AbortSignal; max_results: number }) {
    const base = segmentsOf(path).segments.join('/')
    const folder = await this.#folder(path)
    const folders: { id: string; name: string; path: string }[] = []
    const files: SourceFile[] = []
    for await (const entry of await openFolder(folder)) {
      signal.throwIfAborted()
      const place = base === '' ? entry.name : `${base}/${entry.name}`
      if (entry.isDirectory() && folders.length < max_results)
        folders.push({ id: place, name: entry.name, path: `/${place}` })
      const file = entry.isFile() && files.length < max_results && (await describe(folder, place, entry))
      if (file && file.kind === 'file') files.push(file)
      if (folders.length === max_results && files.length === max_results) break
    }
    return { folders, files }
  }

  async read(
    file: SourceFile,
    options: { signal: AbortSignal; limit_bytes: number },
  ): Promise<SourceContent> {
    const handle = await this.#open(file)
    try {
      const before = await handle.stat({ bigint: true })
      if (!before.isFile()) throw new KuraError('source_item_gone')
      if (before.size > BigInt(options.limit_bytes))
        throw new KuraError('source_file_too_large', { limit_bytes: options.limit_bytes })
      return {
        body: limitedBody(unchanged(handle, before), options),
        version: versionOf(before),
        mime_type: null,
      }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async close(): Promise<void> {
    // Folders and files are opened and closed as they are read.
  }

  /** The folder of a path, its every segment a real folder. */
  async #folder(path: string): Promise<string> {
    const { segments, error } = segmentsOf(path)
    if (error) throw failed(error)
    const folder = join(this.#root, ...segments)
    const real = await realpath(folder).catch((cause) => {
      throw failed(`the folder "${segments.join('/')}" does not exist or cannot be read`, cause)
    })
    if (real !== folder || !(await stat(real)).isDirectory())
      throw failed(`"${segments.join('/')}" is not a folder, or a symbolic link`)
    return folder
  }

  async *#walk(folder: string, base: string, depth: number, signal: AbortSignal): AsyncGenerator<SourceItem> {
    const fault = (reason: string): SourceItem => {
      const error = new KuraError('source_item_unreadable', { reason })
      return { kind: 'fault', source_id: folder, path: base, error }
    }
    if (depth > DEPTH_MAX) return yield fault(`folders are nested deeper than ${DEPTH_MAX}`)
    let entries: AsyncIterable<Dirent>
    try {
      entries = await openFolder(folder)
    } catch (error) {
      if (depth === 0) throw error
      return yield fault('the folder cannot be opened')
    }
    for await (const entry of entries) {
      signal.throwIfAborted()
      const path = base === '' ? entry.name : `${base}/${entry.name}`
      if (entry.isDirectory()) yield* this.#walk(join(folder, entry.name), path, depth + 1, signal)
      else if (entry.isFile()) {
        const item = await describe(folder, path, entry)
        if (item) yield item
      }
    }
  }

  /** Opened without following a link, and checked to lie where its path says once it is open. */
  async #open({ source_id }: SourceFile): Promise<FileHandle> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const handle = await open(source_id, flags).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EACCES' || cause.code === 'EPERM')
        throw new KuraError('source_item_unreadable', { reason: 'permission denied' }, { cause })
      throw new KuraError('source_item_gone', {}, { cause })
    })
    const real = await realpath(source_id).catch(() => null)
    const [opened, found] = [await handle.stat(), real === null ? null : await stat(real).catch(() => null)]
    const isSame = found !== null && opened.ino === found.ino && opened.dev === found.dev
    if (real !== null && isWithin(this.#root, real) && isSame) return handle
    await handle.close()
    throw new KuraError('source_item_gone')
  }
}

/** Opening fails with `connection_failed`; entries come as the system gives them, never all at once. */
async function openFolder(folder: string): Promise<AsyncIterable<Dirent>> {
  return opendir(folder).catch((cause) => {
    throw failed('a folder cannot be opened', cause)
  })
}

/**
 * Null when the file has vanished since its folder was read. Whatever else hides it is a fault: it is
 * still there, and nobody may take it for vanished.
 */
async function describe(
  folder: string,
  path: string,
  { name }: Dirent,
): Promise<SourceFile | SourceFault | null> {
  const source_id = join(folder, name)
  const facts = await lstat(source_id, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    return new KuraError('source_item_unreadable', { reason: 'its folder hides it' }, { cause: error })
  })
  if (facts instanceof KuraError) return { kind: 'fault', source_id, path, error: facts }
  if (!facts?.isFile()) return null
  return {
    kind: 'file',
    source_id,
    version: versionOf(facts),
    path,
    name,
    size_bytes: Number(facts.size),
    modified_at: toTimestamp(Number(facts.mtimeNs / 1000n) / 1000),
    mime_type: null,
  }
}

const versionOf = ({ size, mtimeNs }: { size: bigint; mtimeNs: bigint }) => `${size}-${mtimeNs}`

/** The bytes of a file; throws `source_item_changed` when it was written to meanwhile. */
async function* unchanged(
  handle: FileHandle,
  before: { size: bigint; mtimeNs: bigint },
): AsyncGenerator<Uint8Array> {
  try {
    yield* handle.createReadStream({
      highWaterMark: READ_BYTES,
      autoClose: false,
    }) as AsyncIterable<Uint8Array>
    const after = await handle.stat({ bigint: true })
    if (versionOf(after) !== versionOf(before)) throw new KuraError('source_item_changed')
  } finally {
    await handle.close()
  }
}

const failed = (reason: string, cause?: unknown) =>
  new KuraError('connection_failed', { reason: `${reason.replace(/\.$/, '')}.` }, { cause })

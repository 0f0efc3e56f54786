import { opendir, stat } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'

/** What a file is ingested as: the file fields of the bucket that `kura ingest` makes. */
export type FileField = 'text' | 'image' | 'pdf'

export type LocalFile = {
  /** Relative to the folder, with `/` on every system; the unique key of its object. */
  path: string
  absolute: string
  field: FileField
  size_bytes: number
  modified_at: string
}

export type SkippedFile = { path: string; reason: string }

const FIELD_BY_EXTENSION: Record<string, FileField> = Object.fromEntries([
  ...[
    '.txt',
    '.md',
    '.markdown',
    '.rst',
    '.csv',
    '.tsv',
    '.json',
    '.jsonl',
    '.html',
    '.htm',
    '.xml',
    '.docx',
    '.log',
    '.yaml',
    '.yml',
  ].map((extension) => [extension, 'text' as const]),
  ...['.jpg', '.jpeg', '.png', '.gif', '.webp', '.avif', '.tif', '.tiff', '.heic', '.svg'].map(
    (extension) => [extension, 'image' as const],
  ),
  ['.pdf', 'pdf' as const],
])

/** The largest file that travels inside a request (the server has the same limit); larger ones are uploaded. */
export const INLINE_BYTES_MAX = 50 * 1024 * 1024

/** Every file below a folder, hidden ones left out, in path order. */
export async function scan(folder: string): Promise<{ files: LocalFile[]; skipped: SkippedFile[] }> {
  const files: LocalFile[] = []
  const skipped: SkippedFile[] = []
  for await (const absolute of walk(folder)) {
    const path = relative(folder, absolute).split(sep).join('/')
    const field = FIELD_BY_EXTENSION[extname(path).toLowerCase()]
    const { size, mtime } = await stat(absolute)
    if (!field) skipped.push({ path, reason: `files of type "${extname(path) || 'none'}" are not read yet` })
    else if (size === 0) skipped.push({ path, reason: 'empty' })
    else files.push({ path, absolute, field, size_bytes: size, modified_at: mtime.toISOString() })
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  return { files, skipped }
}

async function* walk(folder: string): AsyncIterable<string> {
  for await (const entry of await opendir(folder)) {
    if (entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* walk(path)
    // Links are not followed: they could lead out of the folder or round in a circle.
    else if (entry.isFile()) yield path
  }
}

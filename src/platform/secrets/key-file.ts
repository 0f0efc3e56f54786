import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomText } from '../../core/ids.ts'

/** The key that a file keeps; undefined when there is no file, or an empty one. */
export async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim() || undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Keeps a key in a file that only its owner can read; when another process has kept one meanwhile,
 * that one is returned.
 */
export async function keepKeyFile(path: string, key: string): Promise<string> {
  const draft = `${path}.${randomText(6)}`
  await mkdir(dirname(path), { recursive: true })
  await writeFile(draft, `${key}\n`, { mode: 0o600 })
  try {
    // A link appears whole or not at all, and never in the place of another file.
    await link(draft, path)
    return key
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const kept = await readKeyFile(path)
    if (kept) return kept
    await rename(draft, path)
    return key
  } finally {
    await rm(draft, { force: true })
  }
}

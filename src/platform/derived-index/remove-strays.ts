import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Removes what a folder holds for indexes that are no more; entries begin with the id of their index. */
export async function removeStrays(folder: string, ids: readonly number[]): Promise<void> {
  const known = new Set(ids.map(String))
  const names = await readdir(folder).catch((error: { code?: string }) => {
    if (error.code === 'ENOENT') return [] // Nothing was ever saved.
    throw error
  })
  for (const name of names) {
    if (!known.has(name.split('.')[0]!)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

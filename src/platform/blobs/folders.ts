import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Makes the new name durable, and the names of the folders that were made for it. */
export async function syncFolders(folder: string, first_new: string | undefined): Promise<void> {
  await syncFolder(folder)
  if (first_new === undefined) return
  const last = dirname(first_new)
  for (let parent = folder; parent !== last; ) {
    parent = dirname(parent)
    await syncFolder(parent)
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Entries may be removed while they are listed. */
export async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ROOT } from './server.ts'

const DATA = process.env.KURA_TEST_DATA ?? resolve(ROOT, '..', 'shared', 'data')

/** A folder of the test data; throws with the setting that names it where it is absent. */
export function dataFolder(name: string): string {
  const folder = join(DATA, name)
  if (!existsSync(folder)) throw new Error(`No test data at ${folder}; set KURA_TEST_DATA to its parent.`)
  return folder
}

/** The values of a file with one JSON document a line. */
export async function readJsonLines<T>(path: string): Promise<T[]> {
  const lines = (await readFile(path, 'utf8')).split('\n')
  return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as T)
}

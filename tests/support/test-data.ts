import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const ROOT = process.env.KURA_TEST_DATA ?? resolve(import.meta.dirname, '../../../shared/data')

/** A file of the test data folder, for example `pdf/habibi.pdf`. */
export const testData = (path: string): Uint8Array => readFileSync(resolve(ROOT, path))

/** For the `skip` option of a test that reads test data: false, or why it cannot run. */
export const withoutTestData: string | false = existsSync(ROOT)
  ? false
  : `No test data at ${ROOT}; set KURA_TEST_DATA to its folder.`

// Runs the tests and closes with a line "N passed, N failed". `--slow` runs the slow suites instead,
// other arguments select files whose path contains one of them.

import { globSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { withPostgres } from './postgres.ts'

const root = join(import.meta.dirname, '..')
const args = process.argv.slice(2)
const slow = args.includes('--slow')
const wanted = args.filter((arg) => !arg.startsWith('--'))

const files = globSync(['src/**/*.test.ts', 'tests/**/*.test.ts'], { cwd: root })
  .filter((file) => file.endsWith('.slow.test.ts') === slow)
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
  .map((file) => join(root, file))

if (files.length === 0) {
  console.error('No test file matches.')
  process.exit(1)
}

const counts = { passed: 0, failed: 0, skipped: 0 }
await withPostgres(() => runFiles())
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exit(counts.failed > 0 ? 1 : 0)

function runFiles(): Promise<void> {
  // Files that start servers of their own contend for the cores; slow suites measure, so they run alone.
  const concurrency = slow ? 1 : Math.max(1, cpus().length)
  const stream = run({
    files,
    concurrency,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    timeout: slow ? 3_600_000 : 300_000,
  })
  const isLeaf = (data: { details: { type?: string } }) => data.details.type !== 'suite'
  stream.on('test:pass', (data) => {
    if (!isLeaf(data)) return
    if (data.skip !== undefined || data.todo !== undefined) counts.skipped += 1
    else counts.passed += 1
  })
  stream.on('test:fail', (data) => {
    if (isLeaf(data)) counts.failed += 1
  })
  const report = stream.compose(new spec())
  report.pipe(process.stdout)
  return new Promise((resolve, reject) => {
    report.on('end', () => resolve())
    report.on('error', reject)
  })
}

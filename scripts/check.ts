// Types, lint and format, import rules: what must hold before every commit.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const binary = (name: string) => join(root, 'node_modules', '.bin', name)

const checks: [string, string, string[]][] = [
  ['types', binary('tsc'), ['-p', root]],
  ['lint and format', binary('biome'), ['check', '--error-on-warnings', root]],
  [
    'import rules',
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-reporter=dot',
      join(root, 'tests', 'tidy.test.ts'),
    ],
  ],
]

let failed = false
for (const [name, program, args] of checks) {
  const start = performance.now()
  const { status } = spawnSync(program, args, { cwd: root, stdio: 'inherit' })
  console.log(
    `${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`,
  )
  if (status !== 0) failed = true
}
process.exit(failed ? 1 : 0)

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { line } from '../../src/cli/output.ts'

const FOLDER = join(import.meta.dirname, '..', 'baseline')
/** Kept between runs: its packages are large. */
const ENVIRONMENT = join(tmpdir(), 'kura-bench-python')

export type Baseline = { bm25_ndcg10: number; dense_ndcg10: number; versions: Record<string, string> }

/**
 * Search quality of independent libraries on the same data. They run in the Python that
 * KURA_BENCH_PYTHON names, else in an environment made here; `none` leaves them out. A string says
 * why there is no result.
 */
export function runBaseline(data: string): Baseline | string {
  const python = process.env.KURA_BENCH_PYTHON ?? install()
  if (python === 'none') return 'KURA_BENCH_PYTHON is none'
  if (python === null) return 'its Python environment could not be made (python3, venv, pip)'
  const { status, stdout, stderr } = spawnSync(python, [join(FOLDER, 'cranfield.py'), data], {
    encoding: 'utf8',
  })
  if (status !== 0) return `it failed: ${stderr.trim().split('\n').at(-1)}`
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Baseline
}

function install(): string | null {
  const python = join(ENVIRONMENT, 'bin', 'python')
  const done = join(ENVIRONMENT, 'installed')
  if (existsSync(done)) return python
  line(`Installing the libraries of ${join('bench', 'baseline')} into ${ENVIRONMENT} (several GB) …`)
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', ENVIRONMENT]],
    [python, ['-m', 'pip', 'install', '--quiet', '-r', join(FOLDER, 'requirements.txt')]],
    ['touch', [done]],
  ]
  const ok = steps.every(
    ([program, args]) => spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0,
  )
  return ok ? python : null
}

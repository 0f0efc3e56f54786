// Writes the figures of the last benchmark runs (bench/results/) into the README.
import { globSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  besideText,
  type Figure,
  isKept,
  quantity,
  type Result,
  targetText,
} from '../bench/support/result.ts'
import { replaceBetween, table } from './markdown.ts'

const ROOT = join(import.meta.dirname, '..')
const README = join(ROOT, 'README.md')

const paths = globSync('bench/results/*.json', { cwd: ROOT }).sort()
const results = await Promise.all(
  paths.map(async (path) => JSON.parse(await readFile(join(ROOT, path), 'utf8')) as Result),
)
const full = results.filter(({ scale }) => scale === 1)
if (full.length === 0) throw new Error('No results at scale 1 in bench/results; run "npm run bench" first.')

const readme = await readFile(README, 'utf8')
await writeFile(README, replaceBetween(readme, '<!-- measured -->', '<!-- /measured -->', measured(full)))

function measured(all: Result[]): string {
  const { machine } = all[0]!
  const days = [...new Set(all.map(({ at }) => at.slice(0, 10)))].sort()
  const intro = `On ${machine.cpus} cores (${machine.model?.trim()}), Node ${machine.node.slice(1)}, ${days.join(' to ')}; beside each figure what the same run measured of a peer or a ceiling.`
  const rows = all.flatMap(({ name, figures }) =>
    figures.filter(({ target, beside }) => target || beside).map((figure) => row(name, figure)),
  )
  return `${intro}\n\n${table(['figure', 'measured', 'target', 'beside'], rows)}`
}

function row(bench: string, figure: Figure): string[] {
  const target = figure.target ? `${targetText(figure)}${isKept(figure) ? '' : ', missed'}` : ''
  const { note: _, ...withoutNote } = figure
  return [`${bench}: ${figure.what}`, quantity(figure.value, figure.unit), target, besideText(withoutNote)]
}

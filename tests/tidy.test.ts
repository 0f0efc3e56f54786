import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'

const ROOT = resolve(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')

/** Who may import whom; a folder may always import itself. `types` folders may be named in `import type` only. */
const RULES: Record<string, { values: string[]; types?: string[] }> = {
  lib: { values: [] },
  core: { values: ['lib'] },
  platform: { values: ['core', 'lib'] },
  http: { values: ['core', 'lib'] },
  extractors: { values: ['core', 'lib', 'platform/media'], types: ['platform'] },
  stages: { values: ['core', 'lib'], types: ['platform', 'engine'] },
  engine: { values: ['core', 'lib', 'platform', 'extractors', 'stages'] },
  resources: { values: ['core', 'lib', 'platform', 'extractors', 'stages', 'engine'] },
  cli: { values: ['core', 'lib'] },
}

/** A module a file should be taken apart from: long before it, a second subject has usually moved in. */
const LINES_MAX = 450

type Import = { from: string; to: string; types: boolean; line: string }

const files = globSync('**/*.ts', { cwd: SRC }).filter((file) => !file.endsWith('.test.ts'))

test('each folder imports only what the layout allows', () => {
  const broken = files.flatMap(importsOf).filter((one) => !isAllowed(one))
  assert.deepEqual(
    broken.map(({ from, line }) => `${from}: ${line}`),
    [],
  )
})

test('every relative import names its .ts ending', () => {
  const broken = files.flatMap(importsOf).filter(({ to }) => !/\.(?:ts|json)$/.test(to))
  assert.deepEqual(
    broken.map(({ from, line }) => `${from}: ${line}`),
    [],
  )
})

test('no source file has grown past one subject', () => {
  const long = files.map((file) => [file, readFileSync(join(SRC, file), 'utf8').split('\n').length] as const)
  assert.deepEqual(
    long.filter(([, lines]) => lines > LINES_MAX),
    [],
  )
})

test('file names are in kebab case', () => {
  assert.deepEqual(
    files.filter((file) => !/^(?:[a-z0-9-]+\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?\.ts$/.test(file)),
    [],
  )
})

function importsOf(file: string): Import[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const imports: Import[] = []
  for (const match of text.matchAll(
    /^(?:import|export)\s+(type\s+)?[^'"]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm,
  )) {
    const to = match[2] ?? match[3] ?? match[4]!
    imports.push({
      from: file,
      to: relative(SRC, resolve(SRC, dirname(file), to)),
      types: match[1] !== undefined,
      line: match[0].split('\n').pop()!.trim(),
    })
  }
  return imports
}

function isAllowed({ from, to, types }: Import): boolean {
  const folder = from.split('/')[0]!
  const rule = RULES[folder]
  if (!rule || !from.includes('/')) return true // app, worker, deps, main: they put things together.
  if (to.startsWith('..')) return folder === 'core' && to.endsWith('package.json')
  const inside = (allowed: string) => to === allowed || to.startsWith(`${allowed}/`)
  if (folder !== 'resources') {
    if (inside(folder)) return true
    return rule.values.some(inside) || (types && (rule.types ?? []).some(inside))
  }
  const [, noun] = from.split('/')
  if (inside(`resources/${noun}`)) return true
  if (to.startsWith('resources/')) return /^resources\/[^/]+\/index\.ts$/.test(to)
  if (inside('http')) return /\/routes(?:\.ts$|\/)/.test(from) || types
  return rule.values.some(inside)
}

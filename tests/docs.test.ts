import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { generatedDocuments } from '../scripts/generated-docs.ts'

const ROOT = resolve(import.meta.dirname, '..')
const DOCUMENTS = globSync(['*.md', 'docs/**/*.md', 'models/**/*.md'], { cwd: ROOT })

test('the generated parts of the documents say what the code says', async () => {
  for (const { path, current, wanted } of await generatedDocuments())
    assert.ok(current === wanted, `${path} is old: run "node scripts/bootstrap.mjs scripts/docs.ts".`)
})

test('links between documents lead to files and headings that exist', () => {
  const broken: string[] = []
  for (const document of DOCUMENTS) {
    for (const [, target] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue
      const [path = '', heading] = target!.split('#')
      const file = path === '' ? document : join(dirname(document), path)
      if (!existsSync(join(ROOT, file))) broken.push(`${document}: ${target}`)
      else if (heading && !headings(file).includes(heading)) broken.push(`${document}: ${target}`)
    }
  }
  assert.deepEqual(broken, [])
})

test('scripts and settings that the documents name exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const sources = globSync('{src,tests,bench,scripts}/**/*.{ts,mjs}', { cwd: ROOT }).map(read).join('\n')
  const unknown: string[] = []
  for (const document of DOCUMENTS) {
    const text = read(document)
    for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g))
      if (!(name! in scripts)) unknown.push(`${document}: npm run ${name}`)
    for (const [name] of text.matchAll(/\bKURA_[A-Z_]+\b/g)) {
      const setting = name.slice('KURA_'.length).toLowerCase()
      if (!sources.includes(name) && !sources.includes(`  ${setting}: `)) unknown.push(`${document}: ${name}`)
    }
  }
  assert.deepEqual(unknown, [])
})

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** As GitHub makes them: lower case, spaces to dashes, punctuation gone. */
function headings(document: string): string[] {
  return [...read(document).matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

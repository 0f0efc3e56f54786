// The parts of the documents that are written from the code, so that they cannot say something else.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { buildApp } from '../src/app.ts'
import { createProgram } from '../src/command-line.ts'
import { ConfigSchema, loadConfig } from '../src/config.ts'
import { createDeps } from '../src/deps.ts'
import { replaceBetween, table } from './markdown.ts'

const ROOT = join(import.meta.dirname, '..')

/** Document, name of the part in it, and what writes the part. */
const PARTS: [file: string, name: string, write: () => string | Promise<string>][] = [
  ['README.md', 'settings', settingsTable],
  ['docs/api.md', 'operations', operationsTable],
  ['docs/cli.md', 'commands', commandsTable],
]

export type Document = { path: string; current: string; wanted: string }

/** Every document with generated parts, as it is and as it must be. */
export async function generatedDocuments(): Promise<Document[]> {
  const documents = new Map<string, Document>()
  for (const [file, name, write] of PARTS) {
    const path = join(ROOT, file)
    const known = documents.get(file) ?? { path, ...(await read(path)) }
    documents.set(file, {
      ...known,
      wanted: replaceBetween(known.wanted, `<!-- ${name}: generated -->`, `<!-- /${name} -->`, await write()),
    })
  }
  return [...documents.values()]
}

async function read(path: string): Promise<{ current: string; wanted: string }> {
  const text = await readFile(path, 'utf8')
  return { current: text, wanted: text }
}

function settingsTable(): string {
  const rows = Object.entries(ConfigSchema.properties).map(([name, schema]) => {
    const {
      description = '',
      default: fallback,
      enum: values,
    } = schema as {
      description?: string
      default?: unknown
      enum?: string[]
    }
    const meaning = [description, values && `One of ${values.join(', ')}.`]
      .filter(Boolean)
      .join(' ')
      .replaceAll('<', '&lt;')
    const flag = `--${name.replaceAll('_', '-')}`
    return [`\`KURA_${name.toUpperCase()}\``, `\`${flag}\``, defaultText(name, fallback), meaning]
  })
  return table(['environment', 'flag', 'default', 'meaning'], rows)
}

/** Two settings have defaults that follow the home folder. */
function defaultText(name: string, fallback: unknown): string {
  if (name === 'database_url') return '`sqlite:$KURA_HOME/kura.db`'
  if (name === 'storage_url') return '`file:$KURA_HOME/blobs`'
  if (name === 'models') return 'the shipped models'
  return fallback === undefined || fallback === '' ? '' : `\`${String(fallback)}\``
}

/** Options that every command for a server has are described once, in the text around the table. */
const COMMON_OPTIONS = new Set(['--url', '--key', '--namespace', '--json', '--help'])

function commandsTable(): string {
  const rows = leaves(createProgram(), 'kura').map(({ path, command }) => {
    const usage = command.registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '…' : ''}`
      return argument.required ? `&lt;${name}>` : `[${name}]`
    })
    const options = command.options
      .filter(({ long, hidden }) => !hidden && !COMMON_OPTIONS.has(long ?? ''))
      .map(({ long }) => `\`${long}\``)
    // Settings are flags of server commands too; the README lists them.
    const shown = options.length > 12 ? 'every setting' : options.join(', ')
    return [`\`${path}\` ${usage.join(' ')}`.trim(), command.description().replaceAll('<', '&lt;'), shown]
  })
  return table(['command', 'what it does', 'options'], rows)
}

function leaves(command: Command, path: string): { path: string; command: Command }[] {
  return command.commands.flatMap((child) => {
    const here = `${path} ${child.name()}`
    return child.commands.length > 0 ? leaves(child, here) : [{ path: here, command: child }]
  })
}

type OpenApi = { paths: Record<string, Record<string, { operationId: string; tags?: string[] }>> }

async function operationsTable(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'kura-docs-'))
  const deps = await createDeps(loadConfig({}, { home, log_level: 'silent' }))
  try {
    const app = await buildApp(deps)
    const { paths } = (await app.inject('/openapi.json')).json<OpenApi>()
    await app.close()
    const rows = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
    )
    rows.sort((a, b) => (a.path === b.path ? (a.method < b.method ? -1 : 1) : a.path < b.path ? -1 : 1))
    const byPath = Map.groupBy(rows, ({ path }) => path)
    return [
      `${rows.length} operations:`,
      '',
      table(
        ['path', 'methods'],
        [...byPath].map(([path, all]) => [`\`${path}\``, all.map(({ method }) => method).join(', ')]),
      ),
    ].join('\n')
  } finally {
    await deps.close()
    await rm(home, { recursive: true, force: true })
  }
}

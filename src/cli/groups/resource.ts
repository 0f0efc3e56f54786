import type { Command } from 'commander'
import { type Client, type ConnectionFlags, connect } from '../client.ts'
import { connected, positive } from '../flags.ts'
import { dim, json, line, table } from '../output.ts'

/** A row as the API answers it; columns pick from it. */
export type Row = Record<string, unknown>

export type Column = { title: string; value: (row: Row) => string }

/** The flags of a command of a group; options of its own are members by their camelCase names. */
export type GroupFlags = ConnectionFlags & { json?: boolean; limit?: number } & Record<string, unknown>

type Page = {
  results?: Row[]
  total_count?: number
  total?: number
  pagination?: { next_cursor?: string; total?: number }
}

/** A column that shows one member as text. */
export const column = (title: string, member: string): Column => ({
  title,
  value: (row) => cell(valueAt(row, member)),
})

/** Long texts and nested values are cut in tables; `--json` has all of it. */
const CELL_MAX = 60

export function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.length > CELL_MAX ? `${text.slice(0, CELL_MAX - 1)}…` : text
}

function valueAt(row: Row, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Row | undefined)?.[key], row)
}

/** A group of commands about one kind of resource: `kura bucket …`. */
export function group(program: Command, name: string, description: string): Command {
  return program.command(name).description(description)
}

/** Adds a command whose action gets a client and the flags; `--json` prints what `run` returns. */
export function command<T>(
  parent: Command,
  usage: string,
  description: string,
  run: (client: Client, args: string[], flags: GroupFlags) => Promise<T>,
  show: (result: T, flags: GroupFlags) => void | Promise<void>,
): Command {
  return connected(parent.command(usage))
    .description(description)
    .action(async (...given: unknown[]) => {
      // Commander gives the arguments one by one, then the flags and the command itself.
      const flags = given.at(-2) as GroupFlags
      const args = given.slice(0, -2).flat() as string[]
      const result = await run(await connect(flags), args, flags)
      if (flags.json) json(result ?? { success: true })
      else await show(result, flags)
    })
}

/** Adds `list`: pages of any length, newest first, as a table. */
export function listCommand(
  parent: Command,
  usage: string,
  description: string,
  path: (args: string[], flags: GroupFlags) => { path: string; body?: Row },
  columns: Column[],
): Command {
  return command(
    parent,
    usage,
    description,
    async (client, args, flags) => {
      const { path: where, body } = path(args, flags)
      const search = typeof flags.search === 'string' ? { search: flags.search } : {}
      return client.call<Page>('POST', where, { limit: flags.limit ?? 20, ...search, ...body })
    },
    (page) => showRows(page, columns),
  ).option('--limit <count>', 'rows to show', positive, 20)
}

/** A page as a table, with what it leaves out. */
export function showRows(page: Page, columns: Column[]): void {
  const rows = page.results ?? []
  if (rows.length === 0) {
    line('Nothing found.')
    return
  }
  table(
    columns.map(({ title }) => title),
    rows.map((row) => columns.map(({ value }) => value(row))),
  )
  const total = page.total_count ?? page.total ?? page.pagination?.total
  if (total !== undefined && total > rows.length) line(dim(`${rows.length} of ${total} (--limit shows more)`))
  else if (total === undefined && page.pagination?.next_cursor)
    line(dim('There are more (--limit shows them)'))
}

/** One resource as lines of member and value; nested values as JSON. */
export function showRow(row: Row): void {
  const members = Object.entries(row).filter(([, value]) => value !== null && value !== undefined)
  const width = Math.max(0, ...members.map(([name]) => name.length))
  for (const [name, value] of members)
    line(`${dim(name.padEnd(width))}  ${typeof value === 'object' ? JSON.stringify(value) : value}`)
}

/** A path of escaped segments under `/v1`. */
export const v1 = (...segments: string[]) => `/v1/${segments.map(encodeURIComponent).join('/')}`

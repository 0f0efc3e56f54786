import Table from 'cli-table3'

const ESCAPE = '\u001b['
const colored = (stream: NodeJS.WriteStream) => stream.isTTY && !process.env.NO_COLOR

function paint(code: number, text: string): string {
  return colored(process.stdout) ? `${ESCAPE}${code}m${text}${ESCAPE}0m` : text
}
export const bold = (text: string) => paint(1, text)
export const dim = (text: string) => paint(2, text)
export const green = (text: string) => paint(32, text)
export const yellow = (text: string) => paint(33, text)

export function line(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** For machines: one JSON document on standard output. */
export function json(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** A plain table that fits the terminal; the last column takes what is left. */
export function table(head: string[], rows: string[][]): void {
  const width = process.stdout.columns ?? 100
  const used = head
    .slice(0, -1)
    .map((title, i) => Math.max(title.length, ...rows.map((row) => visible(row[i] ?? '').length)) + 2)
  const last = Math.max(20, width - used.reduce((sum, one) => sum + one, 0) - 2)
  const view = new Table({
    head: head.map(bold),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: NO_BORDERS,
    colWidths: [...used, last],
    wordWrap: true,
  })
  view.push(...rows)
  line(view.toString())
}

const NO_BORDERS = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .map((name) => [name, ''])
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'].map((name) => [name, ''])),
)

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with the escape character.
const visible = (text: string) => text.replace(/\u001b\[\d+m/g, '')

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

export const seconds = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

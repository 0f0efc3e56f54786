/** A table with columns of equal width, as the formatter writes it. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)))
  const line = (cells: string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

/** The text with everything between `begin` and `end` replaced. */
export function replaceBetween(text: string, begin: string, end: string, part: string): string {
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`No part ${begin} … ${end}.`)
  return `${text.slice(0, from + begin.length)}\n${part}\n${text.slice(to)}`
}

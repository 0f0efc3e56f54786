import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { bold, dim, line } from '../../src/cli/output.ts'
import { besideText, type Figure, isKept, quantity, type Result, targetText } from './result.ts'
import { SCALE } from './scale.ts'

const RESULTS = join(import.meta.dirname, '..', 'results')

/** Collects the figures of one benchmark, prints them as a table and keeps them as JSON. */
export class Report {
  readonly #name: string
  readonly #figures: Figure[] = []
  readonly #notes: string[] = []
  readonly #load = loadavg()[0]!

  constructor(name: string, title: string) {
    this.#name = name
    line(`\n${bold(title)}${SCALE === 1 ? '' : dim(` (scale ${SCALE})`)}`)
  }

  add(figure: Figure): void {
    this.#figures.push(figure)
  }

  /** A sentence that belongs to the figures. */
  note(text: string): void {
    this.#notes.push(text)
  }

  async finish(): Promise<void> {
    if (this.#load > cpus().length / 2)
      this.note(
        `Other programs kept the machine busy when this began (load ${this.#load.toFixed(1)} on ${cpus().length} cores): times are longer and rates lower than they would be.`,
      )
    printTable(
      ['figure', 'measured', 'target', 'kept', 'beside'],
      this.#figures.map((figure) => [
        figure.what,
        quantity(figure.value, figure.unit),
        figure.target ? targetText(figure) : '',
        figure.target ? (isKept(figure) ? 'yes' : 'NO') : '',
        besideText(figure),
      ]),
    )
    for (const note of this.#notes) line(dim(note))
    await mkdir(RESULTS, { recursive: true })
    await writeFile(join(RESULTS, `${this.#name}.json`), `${JSON.stringify(this.#record(), null, 2)}\n`)
  }

  #record(): Result {
    return {
      name: this.#name,
      at: new Date().toISOString(),
      scale: SCALE,
      machine: {
        cpus: cpus().length,
        model: cpus()[0]?.model,
        memory_gb: Math.round(totalmem() / 2 ** 30),
        load_1_min_at_start: this.#load,
        node: process.version,
      },
      figures: this.#figures.map((figure) => ({ ...figure, ...(figure.target && { kept: isKept(figure) }) })),
      notes: this.#notes,
    }
  }
}

/** One line a row whatever the width of the terminal, so that results can be compared and pasted. */
function printTable(head: string[], rows: string[][]): void {
  const all = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))
  const [first, ...rest] = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]! + 2))
      .join('')
      .trimEnd(),
  )
  line(bold(first!))
  for (const row of rest) line(row)
}

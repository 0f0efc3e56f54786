import { MultiBar, Presets, type SingleBar } from 'cli-progress'

/** Without a terminal a line is printed at most this often. */
const PLAIN_INTERVAL_MS = 5000

export type Bar = {
  total(count: number): void
  done(count: number): void
  stop(): void
}

/** Progress bars with rate and ETA on standard error; plain lines where there is no terminal. */
export class Progress {
  readonly #bars: MultiBar | null

  constructor({ quiet = false }: { quiet?: boolean } = {}) {
    this.#bars =
      process.stderr.isTTY && !quiet
        ? new MultiBar(
            {
              format: '{name} {bar} {percentage}% | {value}/{total} | {rate}/s | ETA {eta_formatted}',
              stream: process.stderr,
              hideCursor: true,
              etaBuffer: 200,
            },
            Presets.shades_classic,
          )
        : null
    this.#quiet = quiet
  }

  readonly #quiet: boolean

  bar(name: string): Bar {
    if (this.#quiet) return { total: () => undefined, done: () => undefined, stop: () => undefined }
    return this.#bars ? terminalBar(this.#bars, name) : plainBar(name)
  }

  stop(): void {
    this.#bars?.stop()
  }
}

function terminalBar(bars: MultiBar, name: string): Bar {
  const start_ms = performance.now()
  const bar: SingleBar = bars.create(0, 0, { name: name.padEnd(10), rate: 0 })
  return {
    total: (count) => bar.setTotal(count),
    done: (count) => bar.update(count, { rate: rate(count, start_ms) }),
    stop: () => bar.stop(),
  }
}

function plainBar(name: string): Bar {
  const start_ms = performance.now()
  let total = 0
  let last = { count: -1, at_ms: 0 }
  const print = (count: number) => {
    const perSecond = rate(count, start_ms)
    const eta = perSecond > 0 && total > count ? `, ETA ${Math.ceil((total - count) / perSecond)} s` : ''
    process.stderr.write(`${name}: ${count}/${total} (${perSecond}/s${eta})\n`)
    last = { count, at_ms: performance.now() }
  }
  let current = 0
  return {
    total: (count) => {
      total = count
    },
    done: (count) => {
      current = count
      if (performance.now() - last.at_ms > PLAIN_INTERVAL_MS) print(count)
    },
    stop: () => {
      if (current !== last.count) print(current)
    },
  }
}

function rate(count: number, start_ms: number): number {
  const elapsed_s = (performance.now() - start_ms) / 1000
  return elapsed_s > 0 ? Math.round(count / elapsed_s) : 0
}

// Cold start to the first answer, memory at rest, and what a checkout costs.
import { spawnSync } from 'node:child_process'
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startEmptyServer } from './support/ceiling.ts'
import { remove, temporaryFolder } from './support/cleanup.ts'
import { Report } from './support/report.ts'
import { scaled } from './support/scale.ts'
import { ROOT, startServer } from './support/server.ts'
import { median } from './support/statistics.ts'
import { cpuSeconds, familyOf, residentMb } from './support/usage.ts'

const RUNS = 7
/** Long enough for everything that happens after the first answer to be over. */
const IDLE_MS = 3000

export async function run(): Promise<void> {
  const report = new Report('start', 'Start, memory at rest, checkout')
  const runs = scaled(RUNS, 2)
  const empty = await repeat(runs, emptyStart)
  const first = await repeat(runs, () => serverStart())
  const home = temporaryFolder()
  await serverStart(home)
  const again = await repeat(runs, () => serverStart(home))
  remove(home)

  report.add({
    what: 'process start to first answer, new home',
    ...startFigure(first),
    beside: { name: 'empty Fastify', value: median(empty.map(({ ms }) => ms)) },
  })
  report.add({
    what: 'process start to first answer, existing home',
    ...startFigure(again),
    beside: { name: 'node alone', value: median(await repeat(runs, async () => nodeAlone())) },
  })
  await addMemory(report)
  addCheckout(report)
  report.note(`Medians of ${runs} starts. The first answer is a 200 of GET /v1/health.`)
  await report.finish()
}

type Start = { ms: number; cpu_ms: number }

/** CPU time says what the start costs however busy the machine is. */
const startFigure = (starts: Start[]) => ({
  value: median(starts.map(({ ms }) => ms)),
  unit: 'ms',
  target: { max: 500 },
  note: `CPU ${Math.round(median(starts.map(({ cpu_ms }) => cpu_ms)))} ms`,
})

async function repeat<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const values: T[] = []
  for (let i = 0; i < count; i += 1) values.push(await work())
  return values
}

async function serverStart(home?: string): Promise<Start> {
  const server = await startServer(home === undefined ? {} : { home })
  const cpu_ms = cpuSeconds(server.pid) * 1000
  await server.close()
  return { ms: server.started_in_ms, cpu_ms }
}

async function emptyStart(): Promise<Start> {
  const server = await startEmptyServer()
  const cpu_ms = cpuSeconds(server.pid) * 1000
  await server.close()
  return { ms: server.started_in_ms, cpu_ms }
}

function nodeAlone(): number {
  const start_ms = performance.now()
  spawnSync(process.execPath, ['-e', 'console.log("hello")'], { stdio: 'ignore' })
  return performance.now() - start_ms
}

async function addMemory(report: Report): Promise<void> {
  const empty = await startEmptyServer()
  const server = await startServer()
  try {
    await sleep(IDLE_MS)
    const [api = 0, ...children] = familyOf(server.pid).map(residentMb)
    report.add({
      what: 'resident memory at rest, API process',
      value: api,
      unit: 'MB',
      target: { max: 150 },
      beside: { name: 'empty Fastify', value: residentMb(empty.pid) },
    })
    report.add({
      what: `resident memory at rest, its ${children.length} child processes together`,
      value: children.reduce((sum, value) => sum + value, 0),
      unit: 'MB',
    })
  } finally {
    await empty.close()
    await server.close()
  }
}

function addCheckout(report: Report): void {
  const start_ms = performance.now()
  const { status } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'check.ts')], { stdio: 'ignore' })
  report.add({
    what: 'npm run check',
    value: (performance.now() - start_ms) / 1000,
    unit: 's',
    ...(status !== 0 && { note: 'it found faults' }),
  })
  report.add({
    what: 'size of node_modules',
    value: folderMb(join(ROOT, 'node_modules')),
    unit: 'MB',
    beside: { name: 'the pinned Node in it', value: folderMb(join(ROOT, 'node_modules', 'node')) },
  })
}

/** Space on disk; a file with several names counts once. */
function folderMb(folder: string): number {
  const seen = new Set<number>()
  let blocks = 0
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const { ino, blocks: own } = lstatSync(join(entry.parentPath, entry.name))
    if (seen.has(ino)) continue
    seen.add(ino)
    blocks += own
  }
  return (blocks * 512) / 2 ** 20
}

// An engine process: a child of `kura serve` that runs jobs until its parent says stop, or dies.
import { once } from 'node:events'
import pino from 'pino'
import { createEngine } from './engine.ts'
import { type FromEngine, PULSE_MS, type ToEngine } from './engine-messages.ts'
import { Worker } from './worker.ts'

/** After its parent died the process must be gone before a new server wants the database. */
const ORPHAN_GRACE_MS = 500

// A parent that dies before its first message leaves nothing to do.
const exit = () => process.exit(0)
process.once('disconnect', exit)
const [start] = (await once(process, 'message')) as [ToEngine]
if (start.type !== 'start') throw new Error('The first message to an engine process must start it.')
const { config, worker_id } = start
const logger = pino({ level: config.log_level, base: { pid: process.pid, part: 'engine' } })
const { queue, handlers, close } = await createEngine(config, logger)
const worker = new Worker({
  worker_id,
  queue,
  handlers,
  logger,
  transfers_max: config.engine_transfers,
})

const tell = (message: FromEngine) => {
  // The parent may die while this is written; 'disconnect' is where that is handled.
  if (process.connected) process.send!(message, undefined, undefined, () => undefined)
}
queue.onWake(() => tell({ type: 'wake' }))
process.on('message', (message: ToEngine) => {
  if (message.type === 'wake') worker.wake()
})
const pulse = setInterval(() => tell({ type: 'pulse', rss_bytes: process.memoryUsage.rss() }), PULSE_MS)
worker.start()

let isStopping = false
async function stop(grace_ms?: number): Promise<void> {
  if (isStopping) return
  isStopping = true
  clearInterval(pulse)
  await worker.stop(grace_ms)
  await close()
  process.exit(0)
}
process.on('SIGTERM', () => void stop())
// A terminal sends Ctrl-C to the whole group; the parent decides when its children stop.
process.on('SIGINT', () => undefined)
process.off('disconnect', exit)
process.on('disconnect', () => {
  setTimeout(() => process.exit(1), ORPHAN_GRACE_MS * 4)
  void stop(ORPHAN_GRACE_MS)
})
if (!process.connected) exit()

import type { Config } from '../config.ts'
import { KuraError } from '../core/errors.ts'
import { serve } from '../serve.ts'

/** Serves until SIGINT or SIGTERM, then finishes what is under way. */
export async function runServer(config: Config): Promise<void> {
  const server = await serve(config).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new KuraError('config_invalid', {
      reason: `${config.host}:${config.port} is in use by another program. Choose another port with --port or KURA_PORT.`,
    })
  })
  console.log(`Kura serves ${server.url}  (API reference: ${server.url}/docs)`)
  if (server.key_is_new) {
    console.log(`API key, shown this once and kept in ${config.home}/root-key:\n  ${server.root_key}`)
  } else if (server.root_key === null) {
    console.log('The API key is the one of earlier starts. Start with KURA_ROOT_KEY to replace it.')
  }
  await untilStopped(() => server.close())
}

/** Past this, a stop that hangs is cut short: everything acknowledged is on disk anyway. */
const STOP_TIMEOUT_MS = 15_000

/** Waits for a stop signal and runs `stop` once; a second signal ends the process at once. */
export async function untilStopped(stop: () => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const onSignal = () => {
      process.once('SIGINT', () => process.exit(130))
      process.once('SIGTERM', () => process.exit(143))
      resolve()
    }
    process.once('SIGINT', onSignal)
    process.once('SIGTERM', onSignal)
  })
  const timer = setTimeout(() => {
    console.error('Stopping took too long; ending now.')
    process.exit(1)
  }, STOP_TIMEOUT_MS)
  timer.unref()
  await stop()
  clearTimeout(timer)
}

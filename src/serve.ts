import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { createDeps } from './deps.ts'
import { EngineSupervisor } from './engine-supervisor.ts'
import { startHousekeeping } from './housekeeping.ts'
import type { App } from './http/app.ts'

export type RunningServer = {
  url: string
  /** Null when it was configured at an earlier start and is known to its owner only. */
  root_key: string | null
  key_is_new: boolean
  /** Loads the text model now, so that the first search need not wait for it. */
  warm(): Promise<void>
  /** Finishes requests in flight and jobs under way, both within a time, then stops indexes and database. */
  close(): Promise<void>
}

/** Starts the API process: everything is ready when this returns. */
export async function serve(config: Config): Promise<RunningServer> {
  const deps = await createDeps(config)
  const app = await buildApp(deps)
  const engine = new EngineSupervisor(deps)
  await app.listen({ host: config.host, port: config.port })
  await engine.start()
  deps.usage.start()
  deps.filterUses.start()
  const stopHousekeeping = startHousekeeping(deps)
  return {
    url: addressOf(app),
    root_key: deps.bootstrap.root_key,
    key_is_new: deps.bootstrap.key_is_new,
    warm: () => deps.models.warm('text'),
    async close() {
      stopHousekeeping()
      await Promise.all([finishRequests(app), engine.stop()])
      await deps.close()
    },
  }
}

/** Below the time that the whole program takes to stop at most (commands/serve.ts). */
const REQUESTS_GRACE_MS = 10_000

/** Takes no new connections and waits for the answers that are due. */
async function finishRequests(app: App): Promise<void> {
  // A client that has sent half a request, or does not read its answer, must not keep the server alive.
  const timer = setTimeout(() => app.server.closeAllConnections(), REQUESTS_GRACE_MS)
  await app.close()
  clearTimeout(timer)
}

function addressOf(app: App): string {
  const [address] = app.addresses()
  if (!address || typeof address === 'string') throw new Error('The server listens on no TCP address.')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}

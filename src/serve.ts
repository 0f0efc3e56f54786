import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { createDeps } from './deps.ts'
import { EngineSupervisor } from './engine-supervisor.ts'
import { startHousekeeping } from './housekeeping.ts'
import type { App } from './http/app.ts'

export type RunningServer = {
  url: string
  root_key: string
  key_is_new: boolean
  /** Loads the text model now, so that the first search need not wait for it. */
  warm(): Promise<void>
  /** Finishes requests in flight, then stops engine, indexes and database. */
  close(): Promise<void>
}

/** Starts the API process: everything is ready when this returns. */
export async function serve(config: Config): Promise<RunningServer> {
  const deps = await createDeps(config)
  const app = await buildApp(deps)
  const engine = new EngineSupervisor(deps)
  await app.listen({ host: config.host, port: config.port })
  await engine.start()
  const stopHousekeeping = startHousekeeping(deps)
  return {
    url: addressOf(app),
    root_key: deps.bootstrap.root_key,
    key_is_new: deps.bootstrap.key_is_new,
    warm: () => deps.models.warm('text'),
    async close() {
      stopHousekeeping()
      await app.close()
      await engine.stop()
      await deps.close()
    },
  }
}

function addressOf(app: App): string {
  const [address] = app.addresses()
  if (!address || typeof address === 'string') throw new Error('The server listens on no TCP address.')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}

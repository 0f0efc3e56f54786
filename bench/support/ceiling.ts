import { join } from 'node:path'
import { start, stop } from './cleanup.ts'
import { type Load, type LoadOptions, load } from './load.ts'
import { answers, freePort } from './server.ts'

export type EmptyServer = { url: string; pid: number; started_in_ms: number; close(): Promise<void> }

/** A process with an empty Fastify handler. */
export async function startEmptyServer(): Promise<EmptyServer> {
  const port = await freePort()
  const start_ms = performance.now()
  const child = start(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'empty-server.ts'), String(port)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  const url = `http://127.0.0.1:${port}/`
  await answers(url, child)
  return { url, pid: child.pid!, started_in_ms: performance.now() - start_ms, close: () => stop(child) }
}

/** The same load on an empty handler: what HTTP alone costs in this run on this machine. */
export async function ceiling(options: Omit<LoadOptions, 'url'>): Promise<Load> {
  const server = await startEmptyServer()
  try {
    return await load({ ...options, url: server.url, pid: server.pid })
  } finally {
    await server.close()
  }
}

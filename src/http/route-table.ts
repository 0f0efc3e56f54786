import type { RouteOptions } from 'fastify'
import type { App } from './app.ts'

export type RegisteredRoute = Pick<RouteOptions, 'url' | 'schema' | 'config'> & { method: string }

export type RouteTable = {
  routes: readonly RegisteredRoute[]
  /** The methods that answer a concrete path; empty when no route has it. */
  methodsOf(path: string): string[]
}

/** Remembers every route as it is registered; MUST be called before any route is. */
export function collectRoutes(app: App): RouteTable {
  const routes: RegisteredRoute[] = []
  app.addHook('onRoute', ({ method, url, schema, config }) => {
    for (const one of [method].flat()) if (one !== 'HEAD') routes.push({ method: one, url, schema, config })
  })
  return { routes, methodsOf: (path) => methodsOf(routes, path) }
}

function methodsOf(routes: readonly RegisteredRoute[], path: string): string[] {
  const segments = path.replace(/\/+$/, '').split('/')
  const matching = routes.filter(({ url }) => {
    const pattern = url.replace(/\/+$/, '').split('/')
    return (
      pattern.length === segments.length &&
      pattern.every((part, i) => part.startsWith(':') || part === segments[i])
    )
  })
  return [...new Set(matching.map(({ method }) => method))].sort()
}

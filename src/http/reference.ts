import scalar from '@scalar/fastify-api-reference'
import type { App } from './app.ts'
import { buildOpenApi } from './openapi.ts'
import type { RouteTable } from './route-table.ts'

/** The OpenAPI document (also where the MCP server of the contract looks for it) and the page that shows it. */
export async function referenceRoutes(
  app: App,
  { routes, version }: { routes: RouteTable; version: string },
) {
  let text: string | undefined
  const document = () => {
    // Built when first asked for: every route is registered by then, and start-up does not pay for it.
    text ??= JSON.stringify(buildOpenApi(routes.routes, { version }))
    return text
  }
  for (const url of ['/openapi.json', '/docs/openapi.json']) {
    app.get(url, { config: { hidden: true } }, (_request, reply) =>
      reply.type('application/json').send(document()),
    )
  }
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      title: 'Kura API reference',
      withDefaultFonts: false,
      telemetry: false,
    },
  })
}

import Fastify, { type FastifyInstance } from 'fastify'
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
  let page: Promise<FastifyInstance> | undefined
  for (const url of ['/docs', '/docs/*']) {
    app.get(url, { config: { hidden: true } }, async (request, reply) => {
      page ??= loadPage()
      const { statusCode, headers, rawPayload } = await (await page).inject({
        method: 'GET',
        url: request.url,
      })
      return reply.code(statusCode).headers(headers).send(rawPayload)
    })
  }
}

/**
 * The page carries its script inside its package. Loading that takes 100 ms and 15 MB, which a
 * server whose reference nobody opens need not spend.
 */
async function loadPage(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference')
  const app = Fastify()
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      title: 'Kura API reference',
      withDefaultFonts: false,
      telemetry: false,
      // The page describes this server; offers of its vendor have no place on it.
      showDeveloperTools: 'never',
      agent: { disabled: true },
      mcp: { disabled: true },
      hideClientButton: true,
    },
  })
  await app.ready()
  return app
}

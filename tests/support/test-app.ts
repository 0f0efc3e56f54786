import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { Compile, type Validator } from 'typebox/schema'
import { buildApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import { createDeps, type Deps } from '../../src/deps.ts'
import type { App } from '../../src/http/app.ts'
import type { Dialect } from '../../src/platform/db/db.ts'
import { createDatabase } from './test-db.ts'

export { DIALECTS } from './test-db.ts'

export type TestApp = {
  app: App
  deps: Deps
  key: string
  /** Sends a request with the root key and checks the answer against the declared schema. */
  request(method: Method, url: string, options?: RequestOptions): Promise<TestResponse>
  close(): Promise<void>
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type RequestOptions = {
  body?: unknown
  key?: string | null
  namespace?: string
  headers?: Record<string, string>
  raw?: string | Buffer
}
// biome-ignore lint/suspicious/noExplicitAny: tests look into bodies whose shape the schema check has just proven.
export type TestResponse = { status: number; body: any; headers: Record<string, unknown> }

const ROOT_KEY = 'sk_test_root_key_0123456789'

/** A whole server on a fresh database and home, answering through `inject`. */
export async function testApp(
  dialect: Dialect = 'sqlite',
  environment: Record<string, string> = {},
): Promise<TestApp> {
  const home = await mkdtemp(join(tmpdir(), 'kura-test-'))
  const database = await createDatabase(dialect, home)
  const config = loadConfig({
    KURA_HOME: home,
    KURA_ROOT_KEY: ROOT_KEY,
    KURA_DATABASE_URL: database.url,
    ...environment,
  })
  const deps = await createDeps(config, {
    logger: pino({ level: process.env.KURA_TEST_LOG ?? 'silent' }),
    run_models: 'in_process',
  })
  const app = await buildApp(deps)
  await app.ready()
  return {
    app,
    deps,
    key: ROOT_KEY,
    request: (method, url, options) => send(app, method, url, options),
    async close() {
      await app.close()
      await deps.close()
      await database.drop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

async function send(
  app: App,
  method: Method,
  url: string,
  options: RequestOptions = {},
): Promise<TestResponse> {
  const { body, key = ROOT_KEY, namespace, headers = {}, raw } = options
  const response = await app.inject({
    method,
    url,
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(namespace !== undefined && { 'x-namespace': namespace }),
      ...((body !== undefined || raw !== undefined) && { 'content-type': 'application/json' }),
      ...headers,
    },
    payload: raw ?? (body === undefined ? undefined : JSON.stringify(body)),
  })
  const isJson = String(response.headers['content-type'] ?? '').includes('application/json')
  const parsed =
    response.statusCode === 204
      ? null
      : isJson && response.body !== ''
        ? JSON.parse(response.body)
        : response.body
  checkDeclared(app, method, url, response.statusCode, parsed)
  return { status: response.statusCode, body: parsed, headers: response.headers }
}

const validators = new WeakMap<object, Validator>()

/** Every answer of every test fits the schema that its route declares for the status. */
function checkDeclared(app: App, method: Method, url: string, status: number, body: unknown): void {
  const schema = declaredResponses(app, method, url)?.[status]
  if (!schema) return
  let validator = validators.get(schema)
  if (!validator) {
    validator = Compile(schema)
    validators.set(schema, validator)
  }
  const [valid, errors] = validator.Errors(body)
  assert.ok(
    valid,
    `${method} ${url} answered ${status} with a body off its schema: ${JSON.stringify(errors.slice(0, 5))}\n${JSON.stringify(body)?.slice(0, 2000)}`,
  )
}

function declaredResponses(app: App, method: Method, url: string): Record<number, object> | undefined {
  const path = url.split('?')[0]!.replace(/\/+$/, '').split('/')
  const matching = app.routeTable.routes
    .filter((route) => route.method === method)
    .map((route) => ({ route, pattern: route.url.replace(/\/+$/, '').split('/') }))
    .filter(
      ({ pattern }) =>
        pattern.length === path.length &&
        pattern.every((part, i) => part.startsWith(':') || part === path[i]),
    )
    // Static segments win, as in the router.
    .sort((a, b) => parameterCount(a.pattern) - parameterCount(b.pattern))
  return matching[0]?.route.schema?.response as Record<number, object> | undefined
}

const parameterCount = (pattern: string[]) => pattern.filter((part) => part.startsWith(':')).length

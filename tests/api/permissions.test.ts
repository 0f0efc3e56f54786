import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { PERMISSIONS, type Permission } from '../../src/core/permissions.ts'
import { makeKey } from '../support/keys.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

type Method = Parameters<TestApp['request']>[0]

/** Routes that anybody may ask, and why: they tell nothing of anybody, or carry a signature of their own. */
const OPEN = [
  /^GET \/(?:|metrics|openapi\.json|docs.*)$/,
  /^GET \/v1\/health/,
  /^(?:GET|HEAD|OPTIONS|PUT|POST|PATCH|DELETE) \/v1\/(?:files|public|uploads|hooks|inbound|adapters)\b/,
  /^GET \/v1\/retrievers\/stages$/,
  /^GET \/v1\/collections\/features\/extractors/,
  // Events of other systems carry a signature over their body.
  /^POST \/v1\/buckets\/:bucket_identifier\/source-adapter\/events$/,
  /^OPTIONS /,
]

/** What the contract says of methods and paths; what differs from it is listed with its reason. */
function expected(method: string, url: string): Permission[] {
  const last = url.split('/').at(-1)!
  if (/^\/v1\/organizations/.test(url)) {
    const isRead =
      method === 'GET' && /^\/v1\/organizations(?:\/usage|\/api-keys\/.*|\/secrets|\/billing\/\*)?$/.test(url)
    return isRead || url.includes('/billing/') ? ['read'] : ['admin']
  }
  // Giving up an upload that is under way deletes nothing that anybody has.
  if (url.includes('/uploads/tus')) return ['write']
  if (method === 'DELETE') return url === '/v1/namespaces/:namespace_identifier' ? ['admin'] : ['delete']
  // Killing a task is DELETE by another name.
  if (last === 'kill') return ['delete']
  const reads = ['list', 'aggregate', 'test', 'validate', 'execute']
  if (method === 'GET' || (method === 'POST' && reads.includes(last))) return ['read']
  return ['write']
}

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect, { KURA_WRONG_KEYS_PER_MINUTE: '0' })
  })
  after(() => kura.close())

  const routes = () =>
    kura.app.routeTable.routes
      .map(({ method, url, config }) => ({ method, url: url.replace(/(.)\/$/, '$1'), config }))
      .filter(({ method }) => method !== 'OPTIONS')

  test(`every route has a decision: open for a reason, or a permission as the contract says (${dialect})`, () => {
    const problems: string[] = []
    for (const { method, url, config } of routes()) {
      const name = `${method} ${url}`
      if (config?.permission === undefined) {
        if (!OPEN.some((pattern) => pattern.test(name))) problems.push(`${name} asks for no key`)
        continue
      }
      if (!config.access) problems.push(`${name} has no access`)
      const allowed = expected(method, url)
      if (!allowed.includes(config.permission))
        problems.push(`${name} asks for ${config.permission}, expected ${allowed.join(' or ')}`)
    }
    assert.deepEqual(problems, [])
  })

  test(`on every route keys below its permission are refused, and none works without a key (${dialect})`, async () => {
    const keys = new Map<Permission, string>()
    for (const permission of PERMISSIONS)
      keys.set(permission, (await makeKey(kura, { permissions: [permission] })).key)
    for (const { method, url, config } of routes()) {
      const needed: Permission | undefined = config?.permission
      if (needed === undefined) continue
      const path = url.replace(/:(\w+)|\*/g, 'nothing')
      const ask = (key: string | null) =>
        kura.request(method as Method, path, { key, ...(method !== 'GET' && { body: {} }) })
      for (const key of [null, 'sk_wrong', '']) {
        const { status, body } = await ask(key)
        assert.equal(status, 401, `${method} ${path}`)
        assert.equal(body.error.code, 'unauthorized')
      }
      for (const permission of PERMISSIONS) {
        const { status, body } = await ask(keys.get(permission)!)
        const isAllowed: boolean = PERMISSIONS.indexOf(permission) >= PERMISSIONS.indexOf(needed)
        const isRefused = status === 403 && body.error.code === 'permission_denied'
        assert.equal(isRefused, !isAllowed, `${method} ${path} with ${permission}: ${status}`)
      }
    }
  })

  test(`headers cannot smuggle a key, a scope or an answer header (${dialect})`, async () => {
    const { key } = await makeKey(kura, { permissions: ['read'] })
    const smuggled: Record<string, string>[] = [
      { authorization: `Bearer ${key}, Bearer ${kura.key}` },
      { authorization: `Bearer ${key}`, 'x-api-key': kura.key },
      { authorization: `Bearer ${key}`, 'x-forwarded-user': 'admin@localhost' },
    ]
    for (const headers of smuggled) {
      const answer = await kura.request('GET', '/v1/organizations/users', {
        key: null,
        headers,
      })
      assert.equal(answer.status, 403, 'the first key counts')
    }
    for (const authorization of [
      'Basic YWRtaW46',
      `Bearer  `,
      `bearer${kura.key}`,
      `Bearer ${kura.key} x`,
      kura.key,
    ]) {
      const answer = await kura.request('GET', '/v1/buckets', { key: null, headers: { authorization } })
      assert.equal(answer.status, 401, authorization)
    }
    const echoed = await kura.request('GET', '/v1/buckets', { headers: { 'x-request-id': 'a\tb <script>' } })
    assert.match(String(echoed.headers['x-request-id']), /^req_/)
  })

  test(`wrong keys of one address are slowed down, while keys that have worked go on (${dialect})`, async (t) => {
    const strict = await testApp(dialect, { KURA_WRONG_KEYS_PER_MINUTE: '5' })
    t.after(strict.close)
    const ask = (key: string) => strict.request('GET', '/v1/buckets', { key })
    assert.equal((await ask(strict.key)).status, 200)
    const statuses: number[] = []
    for (let i = 0; i < 8; i++) statuses.push((await ask(`sk_wrong_${i}`)).status)
    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429, 429])
    const refused = await ask('sk_wrong')
    assert.equal(refused.body.error.type, 'TooManyRequestsError')
    assert.ok(Number(refused.headers['retry-after']) >= 1)
    strict.deps.callers.expire()
    assert.equal((await ask(strict.key)).status, 200, 'it is looked up all the same')
    const spoofed = await strict.request('GET', '/v1/buckets', {
      key: 'sk_x',
      headers: { 'x-forwarded-for': '203.0.113.9' },
    })
    assert.equal(spoofed.status, 429, 'an address that anybody can write is not believed')
  })

  test(`behind a trusted proxy the address is the one that it tells (${dialect})`, async (t) => {
    const proxied = await testApp(dialect, {
      KURA_WRONG_KEYS_PER_MINUTE: '1',
      KURA_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8',
    })
    t.after(proxied.close)
    const ask = async (address: string) =>
      (await proxied.request('GET', '/v1/buckets', { key: 'sk_x', headers: { 'x-forwarded-for': address } }))
        .status
    assert.deepEqual(
      [await ask('203.0.113.1'), await ask('203.0.113.1'), await ask('203.0.113.2')],
      [401, 429, 401],
    )
    assert.equal(await ask('203.0.113.7, 203.0.113.1'), 429, 'what the client wrote in front does not count')
  })
}

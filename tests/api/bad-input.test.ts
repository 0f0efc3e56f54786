import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sha256 } from '../../src/core/ids.ts'
import { makePng, makePngHeader } from '../support/media.ts'
import { tableContents } from '../support/table-contents.ts'
import { type Account, makeAccount, makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import {
  DIALECTS,
  type RequestOptions,
  type TestApp,
  type TestResponse,
  testApp,
} from '../support/test-app.ts'

type Method = Parameters<TestApp['request']>[0]
type Refusal = [status: number, code: string, method: Method, url: string, body?: unknown]

const BODY_LIMIT_BYTES = 12_000_000
const WRITERS = ['POST', 'PUT', 'PATCH']

for (const dialect of DIALECTS) {
  let kura: TestApp
  let tenant: Tenant
  let account: Account
  let objects: string
  let documents: string

  before(async () => {
    kura = await testApp(dialect, {
      KURA_TEXT_MODEL: 'hash',
      KURA_BODY_LIMIT_BYTES: String(BODY_LIMIT_BYTES),
      KURA_INLINE_BLOB_LIMIT_BYTES: '1000000',
    })
    tenant = await makeTenant(kura, { name: 'tests', mark: 'zebra' })
    account = await makeAccount(kura, tenant)
    objects = `/v1/buckets/${tenant.bucket_id}/objects`
    documents = `/v1/collections/${tenant.collection_id}/documents`
  })
  after(() => kura.close())

  const request = (method: Method, url: string, options: RequestOptions = {}): Promise<TestResponse> =>
    kura.request(method, url, { namespace: tenant.namespace_id, ...options })

  /** Fails when `work` changes any row of any table. */
  async function changesNothing(work: () => Promise<void>): Promise<void> {
    const contents = await tableContents(kura.deps.db)
    await work()
    assert.deepEqual(await tableContents(kura.deps.db), contents)
  }

  /** Each request is refused with its status and code, in the error envelope, and leaves nothing behind. */
  const refusesAll = (refusals: Refusal[]) =>
    changesNothing(async () => {
      for (const [status, code, method, url, body] of refusals) {
        const answer = await request(method, url, { body })
        const sent = `${method} ${url} ${JSON.stringify(body)?.slice(0, 500)}`
        assert.equal(answer.status, status, `${sent}\n${JSON.stringify(answer.body).slice(0, 1000)}`)
        assert.equal(answer.body.error.code, code, sent)
      }
    })

  /** Routes that read a body, with ids of resources that exist. */
  const writers = () =>
    kura.app.routeTable.routes
      .filter(({ method, schema }) => WRITERS.includes(method) && schema?.body)
      .map(({ method, url, config }) => ({
        method: method as Method,
        permission: config?.permission,
        url: url.replace(/:(\w+)/g, (_, name: string) => idOf(name)),
      }))

  function idOf(parameter: string): string {
    if (parameter.endsWith('extractor_id')) return 'text_extractor_v1'
    if (parameter === 'identifier') return tenant.webhook_id
    if (parameter === 'delivery_id' || parameter === 'event_key') return 'unknown'
    if (parameter === 'tier_num') return '0'
    if (parameter in account) return account[parameter as keyof Account]
    const name = parameter.replace('_identifier', '_id')
    return name === 'batch_id'
      ? tenant.draft_batch_id
      : (tenant[name as keyof Tenant] ?? assert.fail(parameter))
  }

  async function everyWriterRefuses(
    options: RequestOptions,
    status: number,
    code: string,
    only = (_: { permission?: string | undefined }) => true,
  ): Promise<void> {
    const routes = writers().filter(only)
    assert.ok(routes.length > 15)
    await changesNothing(async () => {
      for (const { method, url } of routes) {
        const answer = await request(method, url, options)
        assert.equal(answer.status, status, `${method} ${url} ${JSON.stringify(answer.body).slice(0, 300)}`)
        assert.equal(answer.body.error.code, code, `${method} ${url}`)
        assert.equal(answer.body.success, false)
      }
    })
  }

  test(`every route that reads a body refuses what is no JSON object (${dialect})`, async () => {
    for (const raw of [
      '{',
      '{"a":1,}',
      "{'a':1}",
      'NaN',
      '{"a":NaN}',
      '{"a":1}{',
      '\u0000',
      '[1',
      'undefined',
    ])
      await everyWriterRefuses({ raw }, 422, 'validation_error')
    for (const body of [[], [1], 5, true, 'text', ''])
      await everyWriterRefuses({ body }, 422, 'validation_error')
  })

  test(`every route refuses texts, names and numbers that no store keeps (${dialect})`, async () => {
    for (const raw of [
      '{"a":"\\u0000"}',
      '{"\\u0000":1}',
      '{"a":"\\ud800"}',
      '{"metadata":{"__proto__":{"admin":true}}}',
      '{"metadata":{"a":1e400}}',
      '{"metadata":{"a":9007199254740993}}',
    ])
      await everyWriterRefuses({ raw }, 422, 'validation_error')
  })

  test(`every route refuses bodies that are not UTF-8 (${dialect})`, async () => {
    for (const hex of ['7b2261223a22ff227d', '7b2261223a22eda080227d', 'fffe7b007d00'])
      await everyWriterRefuses({ raw: Buffer.from(hex, 'hex') }, 422, 'validation_error')
  })

  test(`every route refuses deep JSON at once, and bodies over the limit (${dialect})`, async () => {
    const deep = `{"metadata":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`
    await everyWriterRefuses({ raw: deep }, 422, 'validation_error')
    await everyWriterRefuses({ raw: '['.repeat(100_000) }, 422, 'validation_error')
    const raw = `{"a":"${'x'.repeat(BODY_LIMIT_BYTES)}"}`
    await everyWriterRefuses({ raw }, 413, 'payload_too_large')
  })

  test(`a million wrong items are refused at once, with an answer of bounded size (${dialect})`, async () => {
    const many = (item: unknown) => Array.from({ length: 1_000_000 }, () => item)
    const { bucket_id } = tenant
    await changesNothing(async () => {
      for (const [url, body] of [
        [`/v1/buckets/${bucket_id}/batches`, { object_ids: many(0) }],
        ['/v1/retrievers', { retriever_name: 'x', stages: many(0) }],
        ['/v1/retrievers', { retriever_name: 'x', stages: [{}], collection_identifiers: many(null) }],
        [`${objects}/batch`, { objects: many(0) }],
        [objects, { blobs: many({}).slice(0, 300_000) }],
        ['/v1/collections', { feature_extractor: { input_mappings: many(1) } }],
        [documents, { features: many(1) }],
        [`${documents}/list`, { select: many(1), filters: { AND: many(1).slice(0, 300_000) } }],
      ] as const) {
        const answer = await request('POST', url, { body })
        assert.ok([400, 422].includes(answer.status), `${url} ${answer.status}`)
        assert.ok(JSON.stringify(answer.body).length < 1_000_000, url)
      }
    })
  })

  test(`every route refuses missing, wrong and too weak keys, and unknown namespaces (${dialect})`, async () => {
    await everyWriterRefuses({ key: null, body: {} }, 401, 'unauthorized')
    await everyWriterRefuses({ key: 'sk_wrong', raw: '{' }, 401, 'unauthorized')
    const { db } = kura.deps
    const [root] = await db.selectFrom('api_keys').selectAll().where('name', '=', 'admin-key').execute()
    const reader = {
      key_id: 'key_reader',
      name: 'reader',
      key_hash: sha256('sk_reader'),
      permissions: '["read"]',
    }
    await db
      .insertInto('api_keys')
      .values({ ...root!, ...reader })
      .execute()
    // A refused attempt at what only administrators may do changes something: the audit log.
    const needsMore = ({ permission }: { permission?: string | undefined }) =>
      permission === 'write' || permission === 'delete'
    await everyWriterRefuses({ key: 'sk_reader', body: {} }, 403, 'permission_denied', needsMore)
    await everyWriterRefuses({ key: 'sk_reader', raw: '{' }, 403, 'permission_denied', needsMore)
    const nul = await request('POST', `${objects}%00`, { key: 'sk_reader', raw: '{' })
    assert.equal(nul.status, 404, 'a path that no route has')
    const hidden = await request('DELETE', `${objects}/a%00b`, { key: 'sk_reader' })
    assert.equal(hidden.status, 403)
    await changesNothing(async () => {
      for (const { config, method, url } of kura.app.routeTable.routes) {
        if (config?.permission === undefined || config.scope === 'organization') continue
        const path = url.replace(/:(\w+)/g, (_, name: string) => idOf(name))
        const answer = await request(method as Method, path, { namespace: 'nowhere', raw: '{' })
        assert.equal(answer.status, 404, `${method} ${path}`)
        assert.equal(answer.body.error.code, 'namespace_not_found')
      }
    })
  })

  test(`lists refuse pages out of bounds, and filters and sorts that are none (${dialect})`, async () => {
    const invalid = (url: string, bodies: object[]): Refusal[] =>
      bodies.map((body) => [422, 'validation_error', 'POST', url, body])
    const lists = kura.app.routeTable.routes
      .filter(({ url, method }) => url.endsWith('/list') && method === 'POST')
      .map(({ url }) => url.replace(/:(\w+)/g, (_, name: string) => idOf(name)))
    assert.ok(lists.length >= 8)
    for (const url of lists) {
      await refusesAll(
        invalid(url, [
          ...[0, -1, 1001, 1e9, 1.5, 'ten', true, [], {}, '1; drop table buckets'].map((limit) => ({
            limit,
          })),
          ...[-1, 0.5, 'x', {}].map((offset) => ({ offset })),
          { page: 0 },
          { page_size: 0 },
        ]),
      )
      // Batches are listed newest first, and only that.
      if (url.includes('/batches/')) continue
      await refusesAll(
        invalid(url, [{ sort: { field: 'x', direction: 'sideways' } }, { search: 5 }, { search: [] }]),
      )
      await refusesAll([
        [
          400,
          url === `${documents}/list` ? 'invalid_cursor' : 'cursor_invalid',
          'POST',
          url,
          { cursor: 'e30' },
        ],
      ])
      for (const filters of ['x', 5, { field: 'x', operator: 'near', value: 1 }, { title: { regex: '(' } }]) {
        const answer = await request('POST', url, { body: { filters } })
        assert.ok([400, 422].includes(answer.status), `${url} ${JSON.stringify(filters)} ${answer.status}`)
      }
      const unknown = await request('POST', url, { body: { sort: { field: "x'; drop table buckets; --" } } })
      assert.equal(unknown.status, 200, 'a field that nothing has is missing everywhere')
    }
    assert.equal((await request('POST', '/v1/buckets/list')).body.total_count, 1)
  })

  test(`no cursor made by hand breaks a list (${dialect})`, async () => {
    const source = { type: 'bucket', bucket_ids: [tenant.bucket_id] }
    const feature_extractor = { feature_extractor_name: 'passthrough_extractor' }
    await request('POST', '/v1/buckets', {
      body: { bucket_name: 'after the first', bucket_schema: { properties: {} } },
    })
    await request('POST', '/v1/collections', {
      body: { collection_name: 'after the first', source, feature_extractor },
    })
    await request('POST', documents, { body: { title: 'x' } })
    for (const url of ['/v1/buckets/list', '/v1/collections/list', `${objects}/list`, `${documents}/list`]) {
      const page = await request('POST', url, { body: { limit: 1 } })
      const [keys, id, hash] = JSON.parse(
        Buffer.from(page.body.pagination.next_cursor, 'base64url').toString(),
      )
      for (const value of [
        null,
        '',
        "'",
        '\0',
        '\ud800',
        -1,
        0.5,
        1e300,
        2 ** 63,
        'x'.repeat(5000),
        [],
        {},
        true,
      ]) {
        for (const parts of [
          [keys, value, hash],
          [[value], id, hash],
          [[...keys, value], id, hash],
          [[], id, hash],
          [keys, id, value],
          value,
        ]) {
          const cursor = Buffer.from(JSON.stringify(parts)).toString('base64url')
          const { status, body } = await request('POST', url, { body: { cursor, limit: 1 } })
          assert.ok(
            status === 200 || status === 400,
            `${url} ${JSON.stringify(parts)} ${JSON.stringify(body)}`,
          )
        }
      }
    }
  })

  test(`every route refuses U+0000 in its path and query (${dialect})`, async () => {
    const withIds = kura.app.routeTable.routes.filter(
      ({ url, method }) => url.startsWith('/v1/') && method !== 'OPTIONS',
    )
    await changesNothing(async () => {
      for (const { method, url, schema } of withIds) {
        const names = [...url.matchAll(/:(\w+)/g)].map((match) => match[1]!)
        const known = url.replace(/:(\w+)/g, (_, name: string) => idOf(name))
        const bad = names.map((name) =>
          url.replace(/:(\w+)/g, (_, one: string) => (one === name ? 'a%00b' : idOf(one))),
        )
        for (const path of [...bad, `${known}?limit=%00`, `${known}?title=a%00`]) {
          const answer = await request(method as Method, path, { body: schema?.body && {} })
          assert.equal(answer.status, 422, `${method} ${path} ${JSON.stringify(answer.body)}`)
        }
      }
    })
  })

  test(`characters with a meaning in SQL, LIKE or regular expressions are text to a search (${dialect})`, async () => {
    const total = async (search: string) => {
      const found = await Promise.all(
        ['/v1/buckets/list', '/v1/collections/list', '/v1/retrievers/list', `${objects}/list`].map(
          async (url) => {
            const { status, body } = await request('POST', url, { body: { search } })
            assert.equal(status, 200, `${url} ${search} ${JSON.stringify(body)}`)
            return body.results.length
          },
        ),
      )
      return found
    }
    assert.deepEqual(await total('zebra'), [1, 1, 1, 2])
    for (const search of [
      "' or 1=1 --",
      "'; drop table buckets; --",
      '" or ""="',
      'zebr%',
      'ze_ra',
      'z\\ebra',
      'z.bra',
      '[z]ebra',
      '^zebra$',
      '(?i)zebra',
      '{}[]^$.|?*+()',
      '$1',
      ':name',
      'NEAR(zebra)',
      '"zebra',
      'zebra OR x',
      'zebra NOT x',
      'col:zebra',
      'x'.repeat(200_000),
    ])
      assert.deepEqual(await total(search), [0, 0, 0, 0], search.slice(0, 50))
  })

  test(`buckets refuse bad names, schemas, duplicates and empty changes (${dialect})`, async () => {
    const bucket_schema = { properties: {} }
    const { bucket_id } = tenant
    const create = (body: object): [Method, string, object] => ['POST', '/v1/buckets', body]
    await request('POST', '/v1/buckets', { body: { bucket_name: 'second', bucket_schema } })
    await refusesAll([
      [422, 'validation_error', ...create({})],
      [422, 'validation_error', ...create({ bucket_name: '', bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: '   ', bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: 'a/b', bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: 'a\nb', bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: 'x'.repeat(10_000_000), bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: 5, bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: null, bucket_schema })],
      [422, 'validation_error', ...create({ bucket_name: 'x', bucket_schema: 'text' })],
      [422, 'validation_error', ...create({ bucket_name: 'x', bucket_schema: { properties: [] } })],
      [422, 'validation_error', ...create({ bucket_name: 'x', bucket_schema: { properties: { a: {} } } })],
      [
        422,
        'validation_error',
        ...create({ bucket_name: 'x', bucket_schema: { properties: { a: { type: 'x' } } } }),
      ],
      [400, 'reserved_name', ...create({ bucket_name: 'list', bucket_schema })],
      [409, 'bucket_name_taken', ...create({ bucket_name: tenant.bucket_name, bucket_schema })],
      [409, 'bucket_name_taken', 'PUT', `/v1/buckets/${bucket_id}`, { bucket_name: 'second' }],
      [409, 'bucket_name_taken', 'PATCH', `/v1/buckets/${bucket_id}`, { bucket_name: 'second' }],
      [400, 'empty_update', 'PATCH', `/v1/buckets/${bucket_id}`, {}],
      [422, 'validation_error', 'PATCH', `/v1/buckets/${bucket_id}`, { is_locked: 'perhaps' }],
      [404, 'bucket_not_found', 'PATCH', '/v1/buckets/bkt_unknown', { description: 'x' }],
      [404, 'bucket_not_found', 'GET', `/v1/buckets/${encodeURIComponent("' or 1=1 --")}`],
      [404, 'bucket_not_found', 'GET', `/v1/buckets/${'x'.repeat(500)}`],
    ])
  })

  test(`objects refuse fields and blobs that do not fit, and leave no file behind (${dialect})`, async () => {
    const blob = (data: unknown, property = 'picture', type = 'image') => ({
      blobs: [{ property, type, data }],
    })
    const png = Buffer.from(await makePng(4, 4)).toString('base64')
    const refuse = (status: number, code: string, body: unknown): Refusal => [
      status,
      code,
      'POST',
      objects,
      body,
    ]
    const before = await storedKeys()
    await refusesAll([
      refuse(422, 'schema_validation_failed', { title: 5 }),
      refuse(422, 'schema_validation_failed', { title: 'x', year: 'MMXX' }),
      refuse(422, 'schema_validation_failed', { title: 'x', year: 1.5 }),
      refuse(422, 'schema_validation_failed', { title: 'x', year: [2020] }),
      refuse(422, 'validation_error', { title: 'x', _internal: {} }),
      refuse(422, 'validation_error', { title: 'x', metadata: 'text' }),
      refuse(422, 'validation_error', { blobs: 'text' }),
      refuse(422, 'validation_error', { blobs: [{}] }),
      refuse(422, 'validation_error', blob(undefined)),
      refuse(422, 'validation_error', blob('x', 'unknown', 'text')),
      refuse(422, 'validation_error', blob({ base64: '***', mime_type: 'image/png' })),
      refuse(422, 'validation_error', blob({ base64: 5 })),
      refuse(422, 'blob_type_mismatch', blob({ base64: 'aGVsbG8gd29ybGQ=', mime_type: 'image/png' })),
      refuse(422, 'blob_type_mismatch', blob('data:image/png;base64,aGVsbG8gd29ybGQ=')),
      refuse(400, 'inline_blob_too_large', blob({ base64: Buffer.alloc(1_000_001).toString('base64') })),
      refuse(404, 'upload_not_found', {
        blobs: [{ property: 'picture', type: 'image', upload_id: 'upl_x' }],
      }),
      // A good blob first: its bytes must not stay when the second one is refused.
      refuse(400, 'url_not_allowed', {
        blobs: [
          ...blob({ base64: png }).blobs,
          { property: 'body', type: 'text', data: 'http://127.0.0.1:1/' },
        ],
      }),
      [422, 'validation_error', 'POST', `${objects}/batch`, { objects: [] }],
      [
        422,
        'validation_error',
        'POST',
        `${objects}/batch`,
        { objects: Array.from({ length: 101 }, () => ({})) },
      ],
      [400, 'all_objects_failed', 'POST', `${objects}/batch`, { objects: [{ title: 5 }, 7, null, []] }],
      [400, 'empty_update', 'PATCH', `${objects}/${tenant.object_id}`, {}],
      [422, 'schema_validation_failed', 'PATCH', `${objects}/${tenant.object_id}`, { year: 'x' }],
      [422, 'schema_validation_failed', 'PUT', `${objects}/${tenant.object_id}`, { title: [] }],
      [404, 'object_not_found', 'PATCH', `${objects}/obj_unknown`, { title: 'x' }],
      [422, 'validation_error', 'POST', `${objects}?policy=replace`, { title: 'x' }],
    ])
    assert.deepEqual(await storedKeys(), before)
  })

  const storedKeys = async () => {
    const keys: string[] = []
    for await (const { key } of kura.deps.blobs.list('')) keys.push(key)
    return keys
  }

  test(`no URL leads a blob or a query into the private network (${dialect})`, async () => {
    const urls = [
      ...['http://127.0.0.1:1/x.png', 'http://localhost/x', 'http://[::1]/x', 'http://0/', 'http://0.0.0.0/'],
      ...[
        'http://10.0.0.1/',
        'http://192.168.1.1/',
        'http://172.16.0.1/',
        'http://169.254.169.254/latest/meta-data',
      ],
      ...['http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://[::ffff:127.0.0.1]/'],
      ...['http://[fd00::1]/', 'http://[fe80::1]/', 'http://100.64.0.1/', 'https://user:secret@127.0.0.1/'],
    ]
    await refusesAll(
      urls.map((data) => [
        400,
        'url_not_allowed',
        'POST',
        objects,
        { blobs: [{ property: 'picture', type: 'image', data }] },
      ]),
    )
    for (const data of [
      'file:///etc/passwd',
      'ftp://127.0.0.1/x',
      'gopher://127.0.0.1/',
      'javascript:alert(1)',
    ])
      await refusesAll([
        [422, 'validation_error', 'POST', objects, { blobs: [{ property: 'picture', type: 'image', data }] }],
      ])
    for (const url of urls) {
      const answer = await request('POST', '/v1/retrievers/execute', {
        body: execution({ input_mode: 'content', value: url }),
      })
      assert.equal(answer.status, 400, url)
    }
  })

  test(`objects of one batch fail alone, each with its reason (${dialect})`, async () => {
    const { status, body } = await request('POST', `${objects}/batch`, {
      body: {
        objects: [
          { title: 'good' },
          { title: 5 },
          { title: 'x', blobs: [{ property: 'picture', type: 'image', data: 'http://127.0.0.1:1/' }] },
          'text',
          { title: 'good too' },
        ],
      },
    })
    assert.equal(status, 200)
    assert.deepEqual(
      body.failed.map((one: { object_index: number }) => one.object_index),
      [1, 2, 3],
    )
    for (const one of body.failed) assert.ok(one.error.length > 10 && one.error_type)
    assert.equal(body.succeeded_count, 2)
  })

  const execution = (query: unknown, more: object = {}) => ({
    collection_identifiers: [tenant.collection_id],
    stages: [searchStage(query, more)],
  })

  test(`collections refuse unknown extractors, unmapped fields and impossible sources (${dialect})`, async () => {
    const { bucket_id, collection_id, collection_name } = tenant
    const create = (
      feature_extractor: object,
      source: object = {},
      more: object = {},
    ): [Method, string, object] => [
      'POST',
      '/v1/collections',
      {
        collection_name: 'refused',
        source: { type: 'bucket', bucket_ids: [bucket_id], ...source },
        feature_extractor: { version: 'v1', ...feature_extractor },
        ...more,
      },
    ]
    const text = { feature_extractor_name: 'text_extractor', input_mappings: { text: 'body' } }
    const passthrough = { feature_extractor_name: 'passthrough_extractor' }
    await refusesAll([
      [400, 'feature_extractor_not_found', ...create({ feature_extractor_name: 'mind_reader' })],
      [400, 'feature_extractor_not_found', ...create({ feature_extractor_name: 'constructor' })],
      [400, 'feature_extractor_not_found', ...create({ ...text, version: 'v9' })],
      [400, 'input_mapping_field_not_found', ...create({ ...text, input_mappings: { text: 'missing' } })],
      [400, 'unknown_extractor_input', ...create({ ...text, input_mappings: { sound: 'body' } })],
      [400, 'input_type_mismatch', ...create({ ...text, input_mappings: { text: 'picture' } })],
      [
        400,
        'input_type_mismatch',
        ...create({ feature_extractor_name: 'image_extractor', input_mappings: { image: 'year' } }),
      ],
      [422, 'validation_error', ...create({ ...text, parameters: { chunk_size: -1 } })],
      [
        400,
        'field_passthrough_not_found',
        ...create({ ...text, field_passthrough: [{ source_path: 'missing' }] }),
      ],
      [404, 'bucket_not_found', ...create(text, { bucket_ids: ['bkt_unknown'] })],
      [
        404,
        'collection_not_found',
        ...create(text, { type: 'collection', collection_id: 'col_unknown', bucket_ids: undefined }),
      ],
      [422, 'validation_error', ...create(text, { type: 'moon' })],
      [422, 'validation_error', ...create(text, { bucket_ids: [] })],
      [422, 'validation_error', ...create(text, {}, { collection_name: 'ab' })],
      [422, 'validation_error', ...create(text, {}, { collection_name: 'x'.repeat(10_000_000) })],
      [409, 'collection_name_taken', ...create(passthrough, {}, { collection_name })],
      [
        400,
        'immutable_field',
        'PATCH',
        `/v1/collections/${collection_id}`,
        { source: { type: 'bucket', bucket_ids: ['bkt_other'] } },
      ],
    ])
  })

  test(`documents refuse vectors that are none, and system fields (${dialect})`, async () => {
    const vectors = (value: unknown) => ({
      title: 'x',
      features: [{ feature_extractor_id: 'text_extractor_v1', vectors: value }],
    })
    const one = `${documents}/${tenant.document_id}`
    await refusesAll([
      [400, 'vector_dimension_mismatch', 'POST', documents, vectors([1, 2, 3])],
      [400, 'vector_invalid', 'POST', documents, vectors(Array.from({ length: 1024 }, () => 1e39))],
      [422, 'validation_error', 'POST', documents, vectors([null])],
      [422, 'validation_error', 'POST', documents, vectors(['1'])],
      [422, 'validation_error', 'POST', documents, vectors('1,2')],
      [422, 'validation_error', 'POST', documents, { document_id: '../x' }],
      [409, 'document_already_exists', 'POST', documents, { document_id: tenant.document_id }],
      [400, 'vector_update_not_supported', 'PATCH', one, { text_extractor_v1_embedding: [1] }],
      [400, 'immutable_field', 'PATCH', one, { document_id: 'x' }],
      [400, 'immutable_field', 'PATCH', one, { _internal: { namespace_id: 'x' } }],
      [404, 'document_not_found', 'PATCH', `${documents}/doc_unknown`, { a: 1 }],
    ])
    const nan = `{"features":[{"feature_extractor_id":"text_extractor_v1","vectors":[NaN]}]}`
    assert.equal((await request('POST', documents, { raw: nan })).status, 422)
  })

  test(`retrievers refuse unknown stages, features, templates and parameters (${dialect})`, async () => {
    const stage = (stage_id: string, parameters: object = {}) => ({
      collection_identifiers: [tenant.collection_id],
      stages: [{ stage_name: 'x', config: { stage_id, parameters } }],
    })
    const save = (body: object): [Method, string, object] => [
      'POST',
      '/v1/retrievers',
      { retriever_name: 'refused', ...body },
    ]
    const execute = (body: object): [Method, string, object] => ['POST', '/v1/retrievers/execute', body]
    const definitions: [number, string, object][] = [
      [400, 'stage_not_found', stage('mind_reader')],
      [400, 'stage_not_found', stage('constructor')],
      [422, 'validation_error', { stages: [] }],
      [422, 'validation_error', { stages: ['x'] }],
      [422, 'stage_parameters_invalid', stage('limit', { limit: 0 })],
      [422, 'stage_parameters_invalid', stage('limit', { limit: 1e9 })],
      [422, 'stage_parameters_invalid', execution('x', { top_k: 0 })],
      [422, 'stage_parameters_invalid', execution('x', { top_k: 1001 })],
      [400, 'feature_not_found', execution('x', { feature_uri: 'mixpeek://mind@v1/x' })],
      [404, 'collection_not_found', { ...execution('x'), collection_identifiers: ['col_unknown'] }],
    ]
    await refusesAll(
      definitions.flatMap(([status, code, body]): Refusal[] => [
        [status, code, ...save(body)],
        [status, code, ...execute(body)],
      ]),
    )
    await refusesAll([
      [422, 'validation_error', ...save({ ...execution('x'), retriever_name: '' })],
      [422, 'validation_error', ...save({ ...execution('x'), retriever_name: 'x'.repeat(10_000_000) })],
      [409, 'retriever_name_taken', ...save({ ...execution('x'), retriever_name: tenant.retriever_name })],
      [400, 'no_search_input', ...execute(execution(''))],
      [400, 'no_search_input', ...execute(execution([]))],
      [400, 'vector_dimension_mismatch', ...execute(execution([1, 2, 3]))],
      [400, 'vector_invalid', ...execute(execution([null]))],
      [400, 'vector_invalid', ...execute(execution(Array.from({ length: 1024 }, () => 1e300)))],
      [400, 'bad_request', ...execute(execution(5))],
      [400, 'bad_request', ...execute(execution({ input_mode: 'smell', value: 'x' }))],
      [422, 'stage_parameters_invalid', ...execute(execution('{{inputs.x'))],
      [400, 'template_error', ...execute(execution('{{ inputs.x | mind }}'))],
      [400, 'template_error', ...execute(execution('{{ inputs.constructor.constructor("return 1")() }}'))],
      [400, 'template_error', ...execute(execution('{% for a in range(1000000000) %}x{% endfor %}'))],
    ])
    const retriever = `/v1/retrievers/${tenant.retriever_id}/execute`
    await refusesAll([
      [422, 'retriever_input_invalid', 'POST', retriever, { inputs: { query: { a: 1 } } }],
      [422, 'validation_error', 'POST', retriever, { inputs: 'x' }],
      [400, 'filter_too_complex', 'POST', retriever, { inputs: { query: 'x' }, filters: nested(20) }],
    ])
  })

  const nested = (depth: number): object =>
    depth === 0 ? { field: 'title', operator: 'eq', value: 'x' } : { AND: [nested(depth - 1)] }

  test(`filters are bounded in depth, width, values and patterns (${dialect})`, async () => {
    const list = `${documents}/list`
    const wide = Array.from({ length: 5000 }, (_, i) => ({ field: `f${i}`, operator: 'eq', value: i }))
    const values = Array.from({ length: 100_000 }, (_, i) => `v${i}`)
    const regex = (value: string) => ({ filters: { field: 'text', operator: 'regex', value } })
    await refusesAll([
      [400, 'filter_too_complex', 'POST', list, { filters: nested(25) }],
      [400, 'filter_too_complex', 'POST', list, { filters: { OR: wide } }],
      [
        400,
        'filter_too_complex',
        'POST',
        list,
        { filters: { field: 'title', operator: 'in', value: values } },
      ],
      [400, 'invalid_regex', 'POST', list, regex('(x{1000}){1000}')],
      [400, 'invalid_regex', 'POST', list, regex('(?=x)')],
      [400, 'invalid_regex', 'POST', list, regex('x'.repeat(513))],
    ])
    const started_ms = performance.now()
    const { status } = await request('POST', list, { body: regex('^(a+)+(a+)+(a+)+$') })
    assert.equal(status, 200)
    assert.ok(performance.now() - started_ms < 5000, 'no pattern takes exponential time')
  })

  test(`batches refuse what their state and bucket do not allow (${dialect})`, async () => {
    const batches = `/v1/buckets/${tenant.bucket_id}/batches`
    const { object_id, batch_id, draft_batch_id } = tenant
    const empty = await request('POST', '/v1/buckets', {
      body: { bucket_name: 'unread', bucket_schema: { properties: {} } },
    })
    const unread = `/v1/buckets/${empty.body.bucket_id}`
    const object = await request('POST', `${unread}/objects`, { body: { a: 1 } })
    const draft = await request('POST', `${unread}/batches`, {
      body: { object_ids: [object.body.object_id] },
    })
    await refusesAll([
      [422, 'validation_error', 'POST', batches, { object_ids: [] }],
      [422, 'validation_error', 'POST', batches, { object_ids: 'obj' }],
      [422, 'validation_error', 'POST', batches, {}],
      [404, 'objects_not_found', 'POST', batches, { object_ids: [object_id, 'obj_unknown'] }],
      [404, 'objects_not_found', 'POST', batches, { object_ids: ["' or 1=1 --"] }],
      [400, 'batch_not_draft', 'POST', `${batches}/${batch_id}/objects`, { object_ids: [object_id] }],
      [400, 'batch_finished', 'POST', `${batches}/${batch_id}/submit`],
      [400, 'batch_not_terminal', 'POST', `${batches}/${draft_batch_id}/retry`],
      [404, 'batch_not_found', 'POST', `${batches}/btch_unknown/submit`],
      [400, 'no_collections_for_bucket', 'POST', `${unread}/batches/${draft.body.batch_id}/submit`],
    ])
  })

  test(`namespaces refuse bad names, unknown extractors and built-in indexes (${dialect})`, async () => {
    const feature_extractors = [{ feature_extractor_name: 'text_extractor', version: 'v1' }]
    const create = (body: object): [Method, string, object] => [
      'POST',
      '/v1/namespaces',
      { namespace_name: 'refused', feature_extractors, ...body },
    ]
    const one = `/v1/namespaces/${tenant.namespace_id}`
    const index = { field_name: 'namespace_id', type: 'keyword' }
    await refusesAll([
      [422, 'validation_error', ...create({ namespace_name: '' })],
      [422, 'validation_error', ...create({ namespace_name: 'x'.repeat(10_000_000) })],
      [422, 'validation_error', ...create({ feature_extractors: [] })],
      [409, 'namespace_name_taken', ...create({ namespace_name: 'tests' })],
      [400, 'reserved_name', ...create({ namespace_name: 'list' })],
      [
        404,
        'registry_extractor_not_found',
        ...create({ feature_extractors: [{ feature_extractor_name: 'x', version: 'v1' }] }),
      ],
      [400, 'payload_index_protected', 'PATCH', one, { payload_indexes: [index] }],
      [400, 'empty_update', 'PATCH', one, {}],
      [409, 'namespace_name_taken', 'PATCH', one, { namespace_name: 'default' }],
    ])
  })

  test(`pictures that promise more than they hold are taken as objects and never decoded whole (${dialect})`, async () => {
    const base64 = Buffer.from(makePngHeader(50_000, 50_000)).toString('base64')
    const started_ms = performance.now()
    const { status, body } = await request('POST', objects, {
      body: {
        title: 'bomb',
        blobs: [{ property: 'picture', type: 'image', data: { base64, mime_type: 'image/png' } }],
      },
    })
    assert.equal(status, 200, JSON.stringify(body))
    assert.ok(performance.now() - started_ms < 5000)
  })

  test(`after all this the server answers as before (${dialect})`, async () => {
    const health = await request('GET', '/v1/health')
    assert.equal(health.status, 200)
    const found = await request('POST', '/v1/retrievers/execute', { body: execution('zebra') })
    assert.equal(found.status, 200)
    assert.equal(found.body.documents[0].document_id, tenant.document_id)
  })
}

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { stages } from '../../src/stages/registry.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { anyJson, fromSchema, HOSTILE_TEXTS, hostileNumbers, texts } from '../support/hostile.ts'
import { type Account, makeAccount, makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import { DIALECTS, type TestApp, type TestResponse, testApp } from '../support/test-app.ts'

type Method = Parameters<TestApp['request']>[0]
type Route = TestApp['app']['routeTable']['routes'][number]

/** Requests a route; KURA_TEST_FUZZ_RUNS=1000 looks longer, KURA_TEST_FUZZ_SEED elsewhere. */
const RUNS = Number(process.env.KURA_TEST_FUZZ_RUNS ?? 25)
const SEED = Number(process.env.KURA_TEST_FUZZ_SEED ?? 20_260_101)
/** Bounds the whole file, however slow the machine: a route gets this long at most. */
const ROUTE_MS_MAX = Number(process.env.KURA_TEST_FUZZ_ROUTE_MS ?? 150)

const FEATURES = [
  'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1',
  'mixpeek://text_extractor@v1/bm25_sparse',
]

/** Words that the API gives a meaning to, so that generated bodies reach beyond the first check. */
const VOCABULARY = [
  ...[
    'title',
    'body',
    'year',
    'picture',
    'text',
    'name',
    'metadata',
    'metadata.a',
    'created_at',
    '_internal',
  ],
  ...['AND', 'OR', 'NOT', '$and', 'field', 'operator', 'value', 'direction', 'filters', 'conditions'],
  ...[
    'eq',
    'ne',
    'gt',
    'lte',
    'in',
    'nin',
    'contains',
    'regex',
    'exists',
    'text',
    'starts_with',
    'asc',
    'desc',
  ],
  ...[
    'stage_id',
    'stage_name',
    'parameters',
    'config',
    'query',
    'input_mode',
    'vector',
    'content',
    'document',
  ],
  ...[
    'type',
    'properties',
    'items',
    'required',
    'default',
    'enum',
    'string',
    'integer',
    'array',
    'object',
    'image',
  ],
  ...[
    'base64',
    'url',
    'mime_type',
    'filename',
    'bucket',
    'collection',
    'passthrough_extractor',
    'text_extractor',
  ],
  ...[
    'document_id',
    'collection_id',
    'object_id',
    'namespace_id',
    'limit',
    'offset',
    'cursor',
    'page',
    'method',
  ],
  ...FEATURES,
]

const NOTES_EXTRACTOR = { feature_extractor_name: 'text_extractor', input_mappings: { text: 'body' } }

/** Read by lists, and declared by no schema. */
const PAGING = {
  limit: { type: 'integer', minimum: 1, maximum: 100 },
  offset: { type: 'integer', maximum: 100 },
  page_size: { type: 'integer', minimum: 1, maximum: 100 },
  include_total: { type: 'boolean' },
  sort_field: { type: 'string' },
  title: { type: 'string' },
}

for (const dialect of DIALECTS) {
  let kura: TestApp
  /** `world` is read and added to; `spare` is changed and deleted, in the same namespace. */
  let world: Tenant
  let spare: Tenant
  let account: Account
  let spareAccount: Account
  let words: readonly string[]

  before(async () => {
    kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash', KURA_BODY_LIMIT_BYTES: '2000000' })
    world = await makeTenant(kura, { name: 'world', mark: 'world' })
    spare = await makeTenant(kura, { name: 'spare', mark: 'spare' })
    account = await makeAccount(kura, world)
    spareAccount = await makeAccount(kura, spare)
    words = [...VOCABULARY, ...Object.values(world)]
  })
  after(() => kura.close())

  /** Runs `check` for generated values; a slow machine makes fewer of them, not a longer test. */
  function forAll<T>(values: fc.Arbitrary<T>, check: (value: T) => Promise<void>): Promise<void> {
    const until_ms = performance.now() + ROUTE_MS_MAX
    const property = fc.asyncProperty(values, async (value) => {
      if (performance.now() < until_ms) await check(value)
    })
    return fc.assert(property, { seed: SEED, numRuns: RUNS })
  }

  /** Changes and deletions go to the spare namespace, so that the others keep something to work on. */
  const targetOf = ({ method }: Route) => (['PUT', 'PATCH', 'DELETE'].includes(method) ? spare : world)

  function pathOf(url: string, tenant: Tenant): fc.Arbitrary<string> {
    const ids: Record<string, string> = {
      ...tenant,
      ...(tenant === spare ? spareAccount : account),
      bucket_identifier: tenant.bucket_id,
      object_identifier: tenant.object_id,
      collection_identifier: tenant.collection_id,
      namespace_identifier: tenant.namespace_id,
      connection_identifier: tenant.connection_id,
      identifier: tenant.webhook_id,
      extractor_id: 'text_extractor_v1',
      feature_extractor_id: 'text_extractor_v1',
      batch_id: tenant.draft_batch_id,
    }
    const parts = url.split('/').map((part): fc.Arbitrary<string> => {
      if (!part.startsWith(':')) return fc.constant(part)
      const hostile = texts(words).filter((text) => text !== '' && text !== '.' && text !== '..')
      return fc
        .oneof(
          { weight: 12, arbitrary: fc.constant(ids[part.slice(1)] ?? 'x') },
          { weight: 1, arbitrary: hostile },
        )
        .map((text) => encodeURIComponent(text.toWellFormed()))
    })
    return fc.tuple(...parts).map((path) => path.join('/'))
  }

  function queryOf({ schema, config }: Route): fc.Arbitrary<string> {
    const declared = (schema?.querystring as { properties?: object })?.properties ?? {}
    const paging = config?.paging ? PAGING : {}
    const one = (name: string, member: unknown) =>
      fc
        .oneof(
          { weight: 9, arbitrary: fromSchema(member, { words }) },
          { weight: 1, arbitrary: texts(words) },
        )
        .map((value) => `${name}=${encodeURIComponent(queryText(value).toWellFormed())}`)
    const members = Object.entries({ ...declared, ...paging }).map(([name, member]) => one(name, member))
    if (members.length === 0) return fc.constant('')
    const some = fc
      .array(fc.oneof(...members), { minLength: 1, maxLength: 3 })
      .map((all) => `?${all.join('&')}`)
    return fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: some })
  }

  const bodyOf = ({ schema, config }: Route): fc.Arbitrary<unknown> => {
    if (!schema?.body) return fc.constant(undefined)
    const options = { words, members: better(words, world) }
    const body = fromSchema(schema.body, options)
    if (!config?.paging) return body
    const count = fromSchema(PAGING.limit, { words })
    const paging = fc.record({ limit: count, offset: count }, { requiredKeys: [] })
    const cursor = fc.record({ cursor: texts(words) })
    return fc
      .tuple(body, fc.oneof({ weight: 20, arbitrary: paging }, { weight: 1, arbitrary: cursor }))
      .map(([own, paging]) => (own && typeof own === 'object' ? { ...paging, ...own } : own))
  }

  /** No fault of the server, the error envelope on a refusal; `kura.request` checks the declared schema. */
  function checkAnswer({ status, body }: TestResponse, request: string): void {
    assert.ok(status < 500, `${status} ${JSON.stringify(body)}\n${request}`)
    if (status < 400) return
    assert.equal(body?.success, false, request)
    assert.equal(body.status, status, request)
    assert.ok(body.error.message && body.error.type && body.error.code, request)
    assert.equal(Array.isArray(body.detail), status === 422, `${request}\n${JSON.stringify(body)}`)
  }

  async function fuzzRoute(route: Route): Promise<void> {
    const tenant = targetOf(route)
    // Earlier requests may have locked the bucket, and a lock refuses everything that follows.
    await kura.deps.db.updateTable('buckets').set({ is_locked: 0 }).execute()
    const requests = fc.tuple(pathOf(route.url, tenant), queryOf(route), bodyOf(route))
    const seen: Record<string, number> = {}
    await forAll(requests, async ([path, query, body]) => {
      const raw = body === undefined ? undefined : JSON.stringify(body)
      const answer = await kura.request(route.method as Method, `${path}${query}`, {
        ...(raw !== undefined && { raw }),
        namespace: tenant.namespace_id,
      })
      seen[answer.status] = (seen[answer.status] ?? 0) + 1
      checkAnswer(answer, `${route.method} ${path}${query} ${raw?.slice(0, 3000)}`)
    })
    if (process.env.KURA_TEST_LOG) console.log(route.method, route.url, seen)
  }

  const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
  /** A deleted namespace refuses all that could come after it. */
  const order = ({ method, url }: Route) =>
    METHODS.indexOf(method) + (url.startsWith('/v1/namespaces') ? 0.5 : 0)

  test(`no generated request makes a route fail, whatever it says (${dialect})`, async (t) => {
    // Plain files and pages take no input; deletions come last and take the spare resources with them.
    const routes = kura.app.routeTable.routes
      .filter(({ method, url }) => METHODS.includes(method) && url.startsWith('/v1/'))
      .toSorted((a, b) => order(a) - order(b))
    for (const route of routes) await t.test(`${route.method} ${route.url}`, () => fuzzRoute(route))
  })

  test(`no generated query makes a search fail (${dialect})`, async () => {
    const query = fc.oneof(
      texts(words),
      anyJson(words),
      fc.array(hostileNumbers, { maxLength: 400 }),
      fc.record({
        input_mode: fc.constantFrom('text', 'vector', 'content', 'document'),
        value: anyJson(words),
      }),
    )
    const search = fc.record({
      query,
      feature_uri: fc.constantFrom(...FEATURES),
      min_score: fc.oneof(hostileNumbers, fc.constant(null)),
      filters: filters(words),
    })
    await forAll(search, async ({ query, ...more }) => {
      const body = {
        collection_identifiers: [world.collection_id],
        stages: [searchStage(query, more)],
      }
      const answer = await kura.request('POST', '/v1/retrievers/execute', {
        body,
        namespace: world.namespace_id,
      })
      checkAnswer(answer, JSON.stringify(body))
    })
  })

  test(`whatever was stored can be listed, processed and searched (${dialect})`, async () => {
    const namespace = world.namespace_id
    const ok = async (url: string, body?: unknown) => {
      const answer = await kura.request('POST', `/v1${url}`, { body, namespace })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    }
    for (const list of ['/buckets/list', '/collections/list', '/retrievers/list', '/tasks/list'])
      await ok(list, { limit: 1000 })
    await kura.deps.db.updateTable('buckets').set({ is_locked: 0 }).execute()
    const objects = await ok(`/buckets/${world.bucket_id}/objects/list`, { limit: 1000 })
    const object_ids = objects.results.map((one: { object_id: string }) => one.object_id)
    const { batch_id } = await ok(`/buckets/${world.bucket_id}/batches`, { object_ids })
    await ok(`/buckets/${world.bucket_id}/batches/${batch_id}/submit`)
    await drainQueue(kura.deps)
    const batch = await kura.request('GET', `/v1/batches/${batch_id}`, { namespace })
    assert.match(batch.body.status, /^COMPLETED/)
    const found = await ok('/retrievers/execute', {
      collection_identifiers: [world.collection_id],
      stages: [
        searchStage(HOSTILE_TEXTS.join(' ').replaceAll('\0', '').toWellFormed().replaceAll(/[{}]/g, '')),
      ],
    })
    assert.ok(found.documents.length > 0)
  })
}

const queryText = (value: unknown) => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))

/** Filters as clients write them, in both spellings. */
function filters(words: readonly string[]): fc.Arbitrary<unknown> {
  const fields = [
    'title',
    'year',
    'picture',
    'metadata.a',
    '_internal.created_at',
    'text',
    'status',
    'x.y[0]',
  ]
  const field = texts(fields)
  const operators = [
    'eq',
    'ne',
    'gt',
    'gte',
    'lt',
    'lte',
    'in',
    'nin',
    'contains',
    'starts_with',
    'ends_with',
  ]
  const operator = texts([...operators, 'regex', 'exists', 'is_null', 'text', 'geo_radius', '$eq', 'like'])
  const leaf = fc.oneof(
    fc.record({ field, operator, value: anyJson(words) }, { requiredKeys: ['field'] }),
    fc.dictionary(field, anyJson(words), { maxKeys: 2, noNullPrototype: true }),
  )
  const { node } = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 3, arbitrary: leaf },
      {
        weight: 2,
        arbitrary: fc
          .tuple(fc.constantFrom('AND', 'OR', 'NOT', '$and', '$or'), fc.array(tie('node'), { maxLength: 3 }))
          .map(([group, list]) => ({ [group]: list })),
      },
    ),
  }))
  return node
}

/** Members that schemas leave open but the API reads closely. */
function better(words: readonly string[], world: Tenant): Record<string, fc.Arbitrary<unknown>> {
  const stage = fc.constantFrom(...stages.values()).chain((one) =>
    fc.record({
      stage_name: texts(words),
      config: fc.record({
        stage_id: fc.oneof({ weight: 20, arbitrary: fc.constant(one.id) }, texts(words)),
        parameters: fromSchema(one.parameters, { words, members: { filters: filters(words) } }),
      }),
    }),
  )
  const data = fc.oneof(
    fc.constantFrom('http://127.0.0.1:1/x', 'https://[::1]/', 'data:text/plain;base64,aGk=', 'aGk='),
    fc.record({
      base64: texts(['aGk=', 'iVBORw0KGgo=']),
      mime_type: texts(['image/png']),
      filename: texts(words),
    }),
    anyJson(words),
  )
  const property = texts(['title', 'body', 'year', 'picture'])
  const blob = fc.record(
    { property, type: fc.constantFrom('text', 'image', 'string', 'pdf', 'json'), data },
    { requiredKeys: ['property'] },
  )
  const fieldType = fc.constantFrom('string', 'text', 'integer', 'image', 'array', 'boolean', 'datetime')
  const schema = fc.record({
    properties: fc.dictionary(texts(words), fc.record({ type: fieldType }), {
      maxKeys: 3,
      noNullPrototype: true,
    }),
  })
  const { bucket_id, collection_id, object_id } = world
  const list = (id: string) =>
    fc.array(fc.oneof(fc.constant(id), texts(words)), { minLength: 1, maxLength: 3 })
  const source = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ type: 'bucket', bucket_ids: [bucket_id] }) },
    { weight: 3, arbitrary: fc.constant({ type: 'collection', collection_id }) },
    fc.record({ type: fc.constantFrom('bucket', 'collection'), bucket_ids: list(bucket_id) }),
    anyJson(words),
  )
  const extractor = fc.record(
    {
      feature_extractor_name: texts(['text_extractor', 'image_extractor', 'passthrough_extractor']),
      version: fc.constantFrom('v1', 'v9'),
      parameters: anyJson([...words, 'chunk_size', 'chunk_overlap', 'split_by', 'extractor_type']),
      input_mappings: fc.dictionary(texts(['text', 'image']), property, {
        maxKeys: 2,
        noNullPrototype: true,
      }),
      field_passthrough: fc.array(
        fc.record(
          { source_path: texts(words), target_path: texts(words) },
          { requiredKeys: ['source_path'] },
        ),
        { maxLength: 3 },
      ),
    },
    { requiredKeys: ['feature_extractor_name'] },
  )
  return {
    filters: filters(words),
    sort: fc.record(
      { field: texts(words), direction: fc.constantFrom('asc', 'desc') },
      { requiredKeys: ['field'] },
    ),
    stages: fc.array(fc.oneof({ weight: 9, arbitrary: stage }, { weight: 1, arbitrary: anyJson(words) }), {
      minLength: 1,
      maxLength: 3,
    }),
    blobs: fc.array(blob, { maxLength: 2 }),
    bucket_schema: schema,
    source,
    feature_extractor: fc.oneof(fc.constant(NOTES_EXTRACTOR), extractor),
    feature_extractors: fc.array(extractor, { minLength: 1, maxLength: 2 }),
    object_ids: fc.oneof(fc.constant([object_id]), list(object_id)),
    collection_identifiers: fc.oneof(fc.constant([collection_id]), fc.constant([]), list(collection_id)),
    collection_id: fc.constant(collection_id),
    document_id: fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
    stream: fc.constant(false),
    inputs: fc.record({ query: texts(words) }),
  }
}

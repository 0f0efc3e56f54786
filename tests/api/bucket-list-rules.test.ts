import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { changeObjectStats } from '../../src/resources/buckets/index.ts'
import { BucketLister } from '../../src/resources/buckets/list.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { makeOrganization } from '../support/tenant.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

async function fixture(t: TestContext, dialect: Dialect) {
  const app = await testApp(dialect)
  t.after(app.close)
  const { request, deps } = app
  const { organizationId } = deps.bootstrap
  const { namespace_id: namespaceId } = (await deps.namespaceLookup.fallback(organizationId))!
  return {
    ...app,
    scope: { organizationId, namespaceId },
    async create(bucket_name: string, more: object = {}, namespace?: string): Promise<string> {
      const body = { bucket_name, bucket_schema: { properties: { hero: { type: 'image' } } }, ...more }
      const answer = await request('POST', '/v1/buckets', { body, ...(namespace && { namespace }) })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body.bucket_id
    },
    async list(body: object = {}, query = '') {
      const answer = await request('POST', `/v1/buckets/list${query}`, { body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    },
    async names(body: object = {}): Promise<string[]> {
      return (await this.list(body)).results.map((bucket: { bucket_name: string }) => bucket.bucket_name)
    },
  }
}

for (const dialect of DIALECTS) {
  test(`the requests of the contract's table find what it says (${dialect})`, async (t) => {
    const kura = await fixture(t, dialect)
    const catalog = await kura.create('product-catalog', { metadata: { region: 'us', tags: ['un Été'] } })
    const logs = await kura.create('access-log', { description: 'catalogue 100% sure' })
    await kura.create('zoo', { metadata: { region: 'eu' } })
    await inTransaction(kura.deps.db, (trx) =>
      changeObjectStats(trx, kura.scope, catalog, { added: [61440, 20480], removed: [] }),
    )
    const cases: [object, string[]][] = [
      [{ filters: { bucket_name: 'Product-Catalog' } }, ['product-catalog']],
      [{ filters: { bucket_name: 'Product-Catalog' }, case_sensitive: true }, []],
      [{ filters: { bucket_id: [catalog, logs] } }, ['access-log', 'product-catalog']],
      [
        {
          filters: {
            AND: [
              { field: 'object_count', operator: 'gt', value: 0 },
              { field: 'metadata.region', value: 'us' },
            ],
          },
        },
        ['product-catalog'],
      ],
      // Short words would now and then be found in a random id.
      [{ search: 'catal' }, ['access-log', 'product-catalog']],
      [{ search: 'cat*' }, ['access-log']],
      [{ search: '*log' }, ['access-log', 'product-catalog']],
      [{ search: '100%' }, ['access-log']],
      [{ search: '%' }, ['access-log']],
      [{ search: '_' }, ['zoo', 'access-log', 'product-catalog']],
      [{ search: 'N ÉTÉ' }, ['product-catalog']],
      [{ search: 'n ete' }, []],
      [{ search: 'us"' }, []],
      [{ search: 'region' }, []],
      [{ search: 'image' }, []],
      [{ search: '   ' }, ['zoo', 'access-log', 'product-catalog']],
      [{ search: '?oo' }, ['zoo']],
      [{ search: "' or 1=1 --" }, []],
      [{ search: '\\*' }, []],
      [
        { filters: { 'bucket_schema.properties.hero.type': 'image', 'storage_stats.max_size_bytes': 61440 } },
        ['product-catalog'],
      ],
      [{ filters: { nothing: 'x' } }, []],
      [{ sort: { field: 'bucket_name' } }, ['access-log', 'product-catalog', 'zoo']],
      [{ sort: { bucket_name: -1 } }, ['zoo', 'product-catalog', 'access-log']],
      [{ sort: { field: 'last_upload_at', order: 'descending' } }, ['product-catalog', 'access-log', 'zoo']],
      [{ sort: { field: 'nowhere' }, search: 'zoo' }, ['zoo']],
      [{ sort: {}, filters: {} }, ['zoo', 'access-log', 'product-catalog']],
    ]
    for (const [body, expected] of cases) {
      const found = await kura.names(body)
      // Buckets that tie are ordered by their random ids.
      const isTied = JSON.stringify(body).includes('last_upload_at')
      assert.deepEqual(isTied ? [found[0], ...found.slice(1).sort()] : found, expected, JSON.stringify(body))
    }
  })

  test(`pages, links and numbers are those of the contract, with the place of paging free to choose (${dialect})`, async (t) => {
    const kura = await fixture(t, dialect)
    const empty = await kura.list()
    assert.deepEqual(empty, {
      results: [],
      total_count: 0,
      pagination: { page_size: 10, total: 0, total_pages: 0, page: 1 },
      stats: { total_objects: 0, total_size_bytes: 0, avg_objects_per_bucket: 0, avg_size_per_bucket: 0 },
    })
    for (let i = 0; i < 25; i++) await kura.create(`b${i}`)
    const first = await kura.list()
    assert.equal(first.results.length, 10)
    const { next_cursor, ...numbers } = first.pagination
    assert.ok(next_cursor)
    assert.deepEqual(numbers, {
      page_size: 10,
      total: 25,
      total_pages: 3,
      page: 1,
      next_page: '/v1/buckets/list?limit=10&offset=10',
    })
    const second = await kura.list({}, '?limit=10&offset=10')
    assert.deepEqual(second.results, (await kura.list({ cursor: next_cursor })).results)
    assert.deepEqual(second.results, (await kura.list({ page_size: 10, page: 2 })).results)
    assert.deepEqual(second.pagination.previous_page, '/v1/buckets/list?limit=10&offset=0')
    assert.equal((await kura.list({ limit: 5 }, '?limit=20')).results.length, 5, 'the body counts')
    assert.equal((await kura.list({ limit: null, cursor: '' }, '?limit=20')).results.length, 20)
    const last = await kura.list({ offset: 20 })
    assert.deepEqual(
      [last.results.length, last.pagination.next_page, last.pagination.next_cursor],
      [5, undefined, undefined],
    )
    const beyond = await kura.list({ offset: 500 })
    assert.deepEqual(
      [beyond.results, beyond.total_count, beyond.pagination.page, beyond.pagination.total_pages],
      [[], 25, 51, 3],
    )
    assert.equal((await kura.list({ offset: 1_000_000_000 })).total_count, 25)
    assert.equal((await kura.list({ limit: 1000 })).results.length, 25)
    // A cursor keeps its place while buckets come and go.
    await kura.create('newer')
    const [gone] = second.results
    await kura.request('DELETE', `/v1/buckets/${gone.bucket_id}`)
    await drainQueue(kura.deps)
    assert.deepEqual((await kura.list({ cursor: next_cursor, limit: 9 })).results, second.results.slice(1))
  })

  test(`shapes, bounds and cursors that are wrong are refused with their place (${dialect})`, async (t) => {
    const kura = await fixture(t, dialect)
    await kura.create('one')
    await kura.create('two')
    const { next_cursor } = (await kura.list({ limit: 1 })).pagination
    const cases: [object, number, string][] = [
      [{ limit: 0 }, 422, 'body.limit greater_than_equal'],
      [{ limit: -1 }, 422, 'body.limit greater_than_equal'],
      [{ limit: 1001 }, 422, 'body.limit less_than_equal'],
      [{ limit: 1e9 }, 422, 'body.limit less_than_equal'],
      [{ limit: 1e300 }, 422, 'body.limit int_parsing'],
      [{ limit: 'ten' }, 422, 'body.limit int_parsing'],
      [{ limit: 1.5 }, 422, 'body.limit int_parsing'],
      [{ offset: -1 }, 422, 'body.offset greater_than_equal'],
      [{ filters: 'x' }, 422, 'body.filters dict_type'],
      [{ filters: [] }, 422, 'body.filters dict_type'],
      [{ sort: 'created_at' }, 422, 'body.sort dict_type'],
      [{ sort: [] }, 422, 'body.sort dict_type'],
      [{ sort: { field: 7 } }, 422, 'body.sort.field string_type'],
      [{ sort: { field: 'created_at', direction: 'up' } }, 422, 'body.sort.direction enum'],
      [{ sort: { created_at: 2 } }, 422, 'body.sort.created_at enum'],
      [{ search: 7 }, 422, 'body.search string_type'],
      [{ search: ['x'] }, 422, 'body.search string_type'],
      [{ case_sensitive: 'maybe' }, 422, 'body.case_sensitive bool_parsing'],
      [{ filters: { field: 'a', operator: 'like', value: 1 } }, 422, 'filter_operator_unknown'],
      [{ filters: { field: 'a', operator: 'regex', value: '(' } }, 400, 'invalid_regex'],
      [{ filters: { field: 'a', operator: 'in', value: Array(10_001).fill(1) } }, 400, 'filter_too_complex'],
      [{ cursor: 'garbage' }, 400, 'cursor_invalid'],
      [{ cursor: `${next_cursor}x`.slice(3) }, 400, 'cursor_invalid'],
      [{ cursor: next_cursor, search: 'one' }, 400, 'cursor_invalid'],
      [{ cursor: next_cursor, sort: { field: 'bucket_name' } }, 400, 'cursor_invalid'],
    ]
    for (const [body, status, expected] of cases) {
      const answer = await kura.request('POST', '/v1/buckets/list', { body })
      const [detail] = answer.body.detail ?? []
      const found = [answer.body.error?.code, detail && `${detail.loc.join('.')} ${detail.type}`]
      assert.equal(answer.status, status, JSON.stringify([body, answer.body]).slice(0, 500))
      assert.ok(found.includes(expected), `${JSON.stringify(body).slice(0, 100)}: ${found}`)
    }
    assert.equal(
      (await kura.list({ limit: '10', offset: '0', case_sensitive: 1, unknown: {} })).total_count,
      2,
    )
  })

  test(`a list is never stale, whoever writes and however often the same is asked (${dialect})`, async (t) => {
    const kura = await fixture(t, dialect)
    const { deps, scope, request } = kura
    // A second server on the same database remembers on its own.
    const other = new BucketLister(deps.db, { candidates_max: 1, index_buckets_min: 0 })
    const bodies = [{}, { search: 'item' }, { filters: { object_count: { gte: 1 } } }, { search: 'needle' }]
    const counts = async () => {
      const answers: number[][] = []
      for (const body of bodies) {
        const one = await kura.list(body)
        const page = { limit: 10, offset: 0, cursor: null, include_total: false }
        const two = JSON.parse(await other.list(scope, { case_sensitive: false, ...body }, page))
        assert.deepEqual(two, one)
        assert.deepEqual(await kura.list(body), one)
        answers.push([one.total_count, one.stats.total_objects, one.stats.total_size_bytes])
      }
      return answers
    }
    const none = [0, 0, 0]
    assert.deepEqual(await counts(), [none, none, none, none])
    const a = await kura.create('item a')
    assert.deepEqual(await counts(), [[1, 0, 0], [1, 0, 0], none, none])
    await inTransaction(deps.db, (trx) => changeObjectStats(trx, scope, a, { added: [5], removed: [] }))
    assert.deepEqual(await counts(), [[1, 1, 5], [1, 1, 5], [1, 1, 5], none])
    const b = await kura.create('item b')
    await request('PATCH', `/v1/buckets/${b}`, { body: { metadata: { deep: [{ x: 'a Needle' }] } } })
    assert.deepEqual(await counts(), [
      [2, 1, 5],
      [2, 1, 5],
      [1, 1, 5],
      [1, 0, 0],
    ])
    await request('PUT', `/v1/buckets/${b}`, { body: { bucket_name: 'other', metadata: {} } })
    assert.deepEqual(await counts(), [[2, 1, 5], [1, 1, 5], [1, 1, 5], none])
    await request('DELETE', `/v1/buckets/${a}`)
    await drainQueue(deps)
    assert.deepEqual(await counts(), [[1, 0, 0], none, none, none])
  })

  test(`count, page and stats agree while others write (${dialect})`, async (t) => {
    const kura = await fixture(t, dialect)
    let isOver = false
    const writing = (async () => {
      for (let i = 0; i < 60; i++) await kura.create(`item ${i}`)
      isOver = true
    })()
    while (!isOver) {
      for (const body of [{ limit: 1000 }, { limit: 1000, search: 'item' }]) {
        const { results, total_count, pagination } = await kura.list(body)
        assert.equal(results.length, total_count)
        assert.equal(pagination.total, total_count)
      }
    }
    await writing
  })

  test(`nothing of another namespace or organization is found or counted (${dialect})`, async (t) => {
    const kura = await fixture(t, dialect)
    const stranger = await makeOrganization(kura.deps, 'strangers')
    const namespace = {
      namespace_name: 'elsewhere',
      feature_extractors: [{ feature_extractor_name: 'text_extractor', version: 'v1' }],
    }
    await kura.request('POST', '/v1/namespaces', { body: namespace })
    await kura.request('POST', '/v1/namespaces', { body: namespace, key: stranger })
    const mine = await kura.create('mine')
    const foreign = await kura.create('foreign', {}, 'elsewhere')
    await kura.request('POST', '/v1/buckets', {
      body: { bucket_name: 'stranger', bucket_schema: { properties: {} } },
      key: stranger,
    })
    const list = async (body: object, options: object = { namespace: 'default' }) => {
      const answer = await kura.request('POST', '/v1/buckets/list', { body, ...options })
      return [
        answer.body.total_count,
        ...answer.body.results.map((bucket: { bucket_name: string }) => bucket.bucket_name),
      ]
    }
    assert.deepEqual(await list({}), [1, 'mine'])
    assert.deepEqual(await list({ search: '*' }), [1, 'mine'])
    assert.deepEqual(await list({ search: 'foreign' }), [0])
    assert.deepEqual(await list({ filters: { bucket_id: [mine, foreign] } }), [1, 'mine'])
    assert.deepEqual(await list({}, { namespace: 'elsewhere' }), [1, 'foreign'])
    assert.deepEqual(await list({ namespace_id: 'elsewhere' }, {}), [1, 'foreign'])
    assert.deepEqual(await list({}, { key: stranger }), [1, 'stranger'])
    for (const bucket_id of [foreign, 'foreign'])
      assert.equal(
        (await kura.request('GET', `/v1/buckets/${bucket_id}`, { namespace: 'default' })).status,
        404,
      )
    assert.equal((await kura.request('GET', `/v1/buckets/${mine}`, { key: stranger })).status, 404)
    // Without a namespace, the id says which one of the organization is meant.
    assert.equal((await kura.request('GET', `/v1/buckets/${foreign}`)).status, 200)
  })
}

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { AggregationBody } from '../../src/core/aggregate/schemas.ts'
import { AGGREGATION_FUNCTIONS } from '../../src/core/aggregate/schemas.ts'
import { canonicalJson } from '../../src/core/json.ts'
import { naiveAggregate } from '../support/naive-aggregate.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

/** Oldest first. */
const SALES = [
  {
    name: 'a',
    kind: 'book',
    price: 10,
    tags: ['new', 'old'],
    sold: '2026-01-05T23:30:00Z',
    metadata: { shop: 'north' },
  },
  { name: 'b', kind: 'book', price: 20.5, tags: ['new'], sold: '2026-01-06', metadata: { shop: 'south' } },
  { name: 'c', kind: 'film', price: 60, tags: [], sold: '2026-02-01T00:00:00+01:00', shop: 'north' },
  { name: 'd', kind: 'film', price: '60', tags: ['old', 'old'], sold: 'never' },
  { name: 'e', price: 300, metadata: { shop: 'north' } },
]

for (const dialect of DIALECTS) {
  describe(`aggregation of objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      bucket_id = await kura.bucket({ schema: { properties: { body: { type: 'text' } } } })
      for (const [i, sale] of SALES.entries())
        await kura.create(bucket_id, {
          ...sale,
          blobs: Array.from({ length: i % 3 }, () => ({ property: 'body', data: 'x'.repeat(i) })),
        })
    })
    after(() => kura.close())

    const aggregate = (body: object, id = bucket_id) =>
      kura.request('POST', `${id}/objects/aggregate`, { body })
    const rows = async (body: object): Promise<[unknown, unknown][]> => {
      const answer = await aggregate(body)
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body.results.map(({ group, metrics }: Record<string, object>) => [group, metrics])
    }
    const COUNT = [{ function: 'count', alias: 'n' }]

    test('groups have their values and metrics under their names; a missing field is the null group', async () => {
      const answer = await aggregate({
        group_by: [{ field: 'kind' }],
        aggregations: [...COUNT, { function: 'sum', field: 'price', alias: 'total' }],
      })
      assert.deepEqual(answer.body, {
        results: [
          { group: { kind: 'book' }, metrics: { n: 2, total: 30.5 } },
          { group: { kind: 'film' }, metrics: { n: 2, total: 60 } },
          { group: { kind: null }, metrics: { n: 1, total: 300 } },
        ],
        total_groups: 3,
        query_info: { records: 5, truncated: false },
      })
    })

    test('a field is found at the root and under metadata, whichever way it is asked for', async () => {
      for (const field of ['shop', 'metadata.shop'])
        assert.deepEqual(await rows({ group_by: [{ field, alias: 's' }], aggregations: COUNT }), [
          [{ s: 'north' }, { n: 3 }],
          [{ s: 'south' }, { n: 1 }],
          [{ s: null }, { n: 1 }],
        ])
    })

    test('every function', async () => {
      const f = (name: string, field: string) => ({ function: name, field, alias: `${name} ${field}` })
      const [[, metrics]] = (await rows({
        group_by: [{ field: 'bucket_id' }],
        aggregations: [
          ...COUNT,
          f('count_distinct', 'kind'),
          { function: 'count_distinct', distinct_field: 'shop', field: 'kind', alias: 'shops' },
          f('sum', 'name'),
          f('avg', 'name'),
          f('avg', 'price'),
          f('min', 'price'),
          f('max', 'price'),
          f('min', 'kind'),
          f('max', 'sold'),
          f('first', 'name'),
          f('last', 'name'),
          f('last', 'kind'),
          f('push', 'kind'),
          f('add_to_set', 'kind'),
          f('sum', 'blobs.details.size_bytes'),
        ],
      })) as [[unknown, unknown]]
      assert.deepEqual(metrics, {
        n: 5,
        'count_distinct kind': 2,
        shops: 2,
        'sum name': 0,
        'avg name': null,
        'avg price': 97.625,
        'min price': 10,
        'max price': '60', // Text comes after numbers, as in every sort.
        'min kind': 'book',
        'max sold': 'never',
        'first name': 'a',
        'last name': 'e',
        'last kind': null,
        'push kind': ['book', 'book', 'film', 'film'],
        'add_to_set kind': ['book', 'film'],
        'sum blobs.details.size_bytes': 1 + 2 + 2 + 4,
      })
    })

    test('filters come first, then unwind: a row per element, lists that are empty or missing give none', async () => {
      assert.deepEqual(await rows({ unwind: 'tags', group_by: [{ field: 'tags' }], aggregations: COUNT }), [
        [{ tags: 'new' }, { n: 2 }],
        [{ tags: 'old' }, { n: 3 }],
      ])
      const filtered = { filters: { kind: 'film' }, unwind: 'metadata.tags' }
      assert.deepEqual(await rows({ ...filtered, group_by: [{ field: 'tags' }], aggregations: COUNT }), [
        [{ tags: 'old' }, { n: 2 }],
      ])
      const blobs = {
        unwind: 'blobs',
        group_by: [{ field: 'blobs.type' }, { field: 'blobs.details.size_bytes', alias: 'size' }],
        aggregations: COUNT,
      }
      assert.deepEqual(await rows(blobs), [
        [{ 'blobs.type': 'text', size: 1 }, { n: 1 }],
        [{ 'blobs.type': 'text', size: 2 }, { n: 2 }],
        [{ 'blobs.type': 'text', size: 4 }, { n: 1 }],
      ])
    })

    test('dates are cut or taken apart in UTC; what is no date is the null group', async () => {
      const by = (unit: object) =>
        rows({ group_by: [{ field: 'sold', alias: 'd', ...unit }], aggregations: COUNT })
      assert.deepEqual(await by({ date_trunc: 'MONTH' }), [
        [{ d: '2026-01-01T00:00:00.000000Z' }, { n: 3 }],
        [{ d: null }, { n: 2 }],
      ])
      assert.deepEqual(await by({ date_part: 'dayOfWeek' }), [
        [{ d: 2 }, { n: 1 }],
        [{ d: 3 }, { n: 1 }],
        [{ d: 7 }, { n: 1 }],
        [{ d: null }, { n: 2 }],
      ])
    })

    test('ranges stand in the group under the name of their field', async () => {
      const range_buckets = [{ field: 'price', boundaries: [0, 60, 100] }]
      const n = (count: number) => ({ n: count })
      assert.deepEqual(await rows({ range_buckets, group_by: [{ field: 'price' }], aggregations: COUNT }), [
        [{ price: '0-60' }, n(3)],
        [{ price: 'other' }, n(2)],
      ])
      const [first] = await rows({
        range_buckets: [{ ...range_buckets[0], default_bucket: 'dear' }],
        group_by: [{ field: 'kind' }],
        aggregations: COUNT,
        having: [{ field: 'price', operator: 'eq', value: 'dear' }],
      })
      assert.deepEqual(first, [{ kind: 'film', price: 'dear' }, n(1)])
    })

    test('having, then the total, then sort, then limit', async () => {
      const body = {
        group_by: [{ field: 'kind' }],
        aggregations: [...COUNT, { function: 'sum', field: 'price', alias: 'total' }],
        having: [
          { field: 'total', operator: 'gte', value: 60 },
          { field: 'n', operator: '<', value: 5 },
        ],
        sort_by: 'total',
      }
      assert.deepEqual(await rows(body), [
        [{ kind: null }, { n: 1, total: 300 }],
        [{ kind: 'film' }, { n: 2, total: 60 }],
      ])
      const { body: answer } = await aggregate({ ...body, limit: 1, sort_direction: 'ASC' })
      assert.equal(answer.total_groups, 2)
      assert.deepEqual(
        answer.results.map(({ group }: { group: object }) => group),
        [{ kind: 'film' }],
      )
    })

    test('a request that makes no sense is a 422 that names the place', async () => {
      const group_by = [{ field: 'kind' }]
      const sum = { function: 'sum', alias: 's' }
      const wrong: [object, (string | number)[]][] = [
        [{ group_by: [], aggregations: COUNT }, ['group_by']],
        [{ group_by, aggregations: [] }, ['aggregations']],
        [{ group_by, aggregations: [sum] }, ['aggregations', 0, 'field']],
        [{ group_by, aggregations: [{ ...sum, function: 'count_distinct' }] }, ['aggregations', 0, 'field']],
        [{ group_by, aggregations: [{ function: 'median', alias: 'x' }] }, ['aggregations', 0, 'function']],
        [{ group_by, aggregations: [{ function: 'count' }] }, ['aggregations', 0, 'alias']],
        [{ group_by, aggregations: [...COUNT, ...COUNT] }, ['aggregations', 1, 'alias']],
        [{ group_by: [{ field: 'a', alias: 'n' }], aggregations: COUNT }, ['aggregations', 0, 'alias']],
        [{ group_by: [{ field: 'kind' }, { field: 'kind' }], aggregations: COUNT }, ['group_by', 1, 'alias']],
        [{ group_by, aggregations: COUNT, sort_by: 'price' }, ['sort_by']],
        [{ group_by, aggregations: COUNT, sort_by: 'n', sort_direction: 'up' }, ['sort_direction']],
        [
          { group_by, aggregations: COUNT, having: [{ field: 'x', operator: 'gt', value: 1 }] },
          ['having', 0, 'field'],
        ],
        [
          { group_by, aggregations: COUNT, range_buckets: [{ field: 'p', boundaries: [5, 1] }] },
          ['range_buckets', 0, 'boundaries'],
        ],
        [
          { group_by, aggregations: COUNT, range_buckets: [{ field: 'p', boundaries: [] }] },
          ['range_buckets', 0, 'boundaries'],
        ],
        [
          { group_by: [{ field: 'd', date_trunc: 'day', date_part: 'day' }], aggregations: COUNT },
          ['group_by', 0],
        ],
        [
          { group_by: [{ field: 'd', date_trunc: 'decade' }], aggregations: COUNT },
          ['group_by', 0, 'date_trunc'],
        ],
        [{ group_by, aggregations: COUNT, limit: 0 }, ['limit']],
      ]
      for (const [body, loc] of wrong) {
        const answer = await aggregate(body)
        assert.equal(answer.status, 422, JSON.stringify(body))
        assert.deepEqual(answer.body.detail[0].loc, ['body', ...loc], JSON.stringify(answer.body.detail))
      }
      const having = [{ field: 'n', operator: 'about', value: 1 }]
      const unknown = await aggregate({ group_by, aggregations: COUNT, having })
      assert.deepEqual([unknown.status, unknown.body.error.code], [422, 'filter_operator_unknown'])
    })

    test('the shape is judged before the bucket, and an unknown bucket is a 404', async () => {
      assert.equal((await aggregate({ group_by: [], aggregations: COUNT }, 'bkt_none')).status, 422)
      assert.equal(
        (await aggregate({ group_by: [{ field: 'x' }], aggregations: COUNT }, 'bkt_none')).status,
        404,
      )
    })

    test('an empty bucket has no groups', async () => {
      const { body } = await aggregate(
        { group_by: [{ field: 'x' }], aggregations: COUNT },
        await kura.bucket(),
      )
      assert.deepEqual([body.results, body.total_groups], [[], 0])
    })

    test('any aggregation of any objects is what one would count by hand', { timeout: 120_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(RECORDS, BODY, async (records, body) => {
          const id = await kura.bucket()
          for (let i = 0; i < records.length; i += 100)
            await kura.request('POST', `${id}/objects/batch`, {
              body: { objects: records.slice(i, i + 100) },
            })
          const { status, body: answer } = await aggregate(body, id)
          assert.equal(status, 200, JSON.stringify(answer))
          const found = new Map(
            answer.results.map(({ group, metrics }: Record<string, object>) => [
              canonicalJson(group),
              metrics,
            ]),
          )
          assert.deepEqual(found, naiveAggregate(records, body))
        }),
        { numRuns: 40 },
      )
    })
  })
}

const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -3, max: 3 }) },
  fc.constantFrom('x', 'y', 'X', '', '2', true, false, null),
)
const FIELDS = ['alpha', 'beta', 'gamma'] as const
const RECORDS = fc.array(
  fc.record(
    { alpha: value, beta: value, gamma: fc.oneof(value, fc.array(value, { maxLength: 3 })) },
    { requiredKeys: [] },
  ),
  { minLength: 1, maxLength: 40 },
)
/** Numbers only for the functions that order values: text has an order of its own, which other tests look at. */
const BODY: fc.Arbitrary<AggregationBody> = fc.record({
  group_by: fc
    .uniqueArray(fc.constantFrom(...FIELDS), { minLength: 1 })
    .map((names) => names.map((field) => ({ field }))),
  aggregations: fc
    .array(
      fc.record({
        function: fc.constantFrom(
          ...AGGREGATION_FUNCTIONS.filter((name) => name !== 'min' && name !== 'max'),
        ),
        field: fc.constantFrom('alpha', 'beta'),
      }),
      { minLength: 1, maxLength: 6 },
    )
    .map((list) => list.map((one, i) => ({ ...one, alias: `m${i}` }))),
  unwind: fc.constantFrom(null, 'gamma'),
  sort_direction: fc.constantFrom('asc', 'desc'),
})

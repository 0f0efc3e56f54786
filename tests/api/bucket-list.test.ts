import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { evaluateFilter } from '../../src/core/filters/evaluate.ts'
import { compareCodePoints, foldCase } from '../../src/core/filters/fold.ts'
import { parseFilter } from '../../src/core/filters/parse.ts'
import { parsePath, valuesAt } from '../../src/core/filters/path.ts'
import { matchesSearch, parseSearch, stringLeaves } from '../../src/core/filters/search.ts'
import { parseSort } from '../../src/core/filters/sort.ts'
import { sortText } from '../../src/core/filters/sort-order.ts'
import { inTransaction } from '../../src/platform/db/db.ts'
import { changeBatchStats, changeObjectStats } from '../../src/resources/buckets/index.ts'
import { BucketLister } from '../../src/resources/buckets/list.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

// biome-ignore lint/suspicious/noExplicitAny: buckets are data of the test.
type Bucket = any
type Body = {
  search?: string | null
  filters?: Record<string, unknown>
  sort?: Record<string, unknown>
  case_sensitive?: boolean
}

/** The list as the contract describes it, over plain objects. */
function model(buckets: readonly Bucket[], { search, filters, sort, case_sensitive = false }: Body) {
  const filter = parseFilter(filters, { profile: 'management', ...(case_sensitive && { case_sensitive }) })
  const pattern = parseSearch(search, { case_sensitive })
  const keys = parseSort(sort)
  const order = [
    ...(keys.length > 0 ? keys : [{ field: 'created_at', direction: 'desc' as const }]),
    { field: 'bucket_id', direction: 'asc' as const },
  ]
  const matches = buckets.filter((bucket) => {
    if (filter && !evaluateFilter(filter, bucket)) return false
    const texts = [bucket.bucket_id, bucket.bucket_name, bucket.description, ...stringLeaves(bucket.metadata)]
    return !pattern || texts.some((text) => text && matchesSearch(pattern, text))
  })
  matches.sort((a, b) => {
    for (const { field, direction } of order) {
      const [left, right] = [sortKey(a, field), sortKey(b, field)]
      if (left === right) continue
      if (left === null) return 1
      if (right === null) return -1
      return compareCodePoints(left, right) * (direction === 'asc' ? 1 : -1)
    }
    return 0
  })
  const sum = (member: string) => matches.reduce((total, bucket) => total + bucket[member], 0)
  return { matches, objects: sum('object_count'), size_bytes: sum('total_size_bytes') }
}

const TEXT_MEMBERS = ['bucket_id', 'bucket_name', 'description', 'status', 'storage_class']

/** Members that are always text sort as text, even where they look like a date. */
function sortKey(bucket: Bucket, field: string): string | null {
  const value = valuesAt(bucket, parsePath(field))[0]
  if (TEXT_MEMBERS.includes(field) && typeof value === 'string') return `${foldCase(value)}\u0000${value}`
  return sortText(value)
}

const words = [
  'cat', 'Cat-alog', 'CATALOG', 'log', 'prod', 'prod-log', 'größe', 'GRÖSSE', 'É', 'e\u0301a', '100%', 'a_b', 'x*y',
  'us-east', 'user123', 'bucket-12', 'İstanbul', 'ſtraße', 'K', '日本語', '😀 smile', '2024-01-01', '[a]', '"q"', "it's",
] // biome-ignore format: a list of texts
const word = fc.constantFrom(...words)
const metadata = fc.record(
  {
    region: fc.oneof(word, fc.integer({ min: -3, max: 12 }), fc.boolean(), fc.constant(null)),
    tags: fc.array(word, { maxLength: 3 }),
    deep: fc.record({ list: fc.array(fc.record({ name: word }), { maxLength: 2 }) }),
    n: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('10', '2024-05-05', 7)),
  },
  { requiredKeys: [] },
)
const seed = fc.record({
  names: fc.tuple(word, word),
  description: fc.option(fc.tuple(word, word)),
  metadata,
  schema_type: fc.constantFrom('image', 'text', 'string'),
  sizes: fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 3 }),
  batches: fc.array(fc.constantFrom('DRAFT', 'COMPLETED', 'FAILED', 'CANCELED'), { maxLength: 2 }),
  storage_class: fc.option(fc.constantFrom('standard', 'archive')),
  is_locked: fc.boolean(),
})

const field = fc.constantFrom(
  'bucket_id', 'bucket_name', 'description', 'status', 'is_locked', 'storage_class', 'object_count', 'total_size_bytes',
  'created_at', 'updated_at', 'last_upload_at', 'metadata.region', 'metadata.tags', 'metadata.n', 'metadata.deep.list.name',
  'bucket_schema.properties.hero.type', 'batch_stats.total', 'batch_stats.active', 'storage_stats.avg_size_bytes',
  'storage_stats.min_size_bytes', 'unknown', 'metadata', 'batch_stats',
) // biome-ignore format: a list of names
const value = fc.oneof(
  word,
  fc.integer({ min: -3, max: 60 }),
  fc.boolean(),
  fc.constant(null),
  fc.constant('2026-01-01'),
)
const condition = fc.oneof(
  fc.record({ field, operator: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte'), value }),
  fc.record({
    field,
    operator: fc.constantFrom('in', 'nin'),
    value: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({
    field,
    operator: fc.constantFrom('contains', 'starts_with', 'ends_with', 'text'),
    value: word,
  }),
  fc.record({ field, operator: fc.constantFrom('exists', 'is_null'), value: fc.boolean() }),
)
const filters = fc.oneof(
  condition,
  fc.record({ AND: fc.array(condition, { minLength: 1, maxLength: 3 }) }),
  fc.record({ OR: fc.array(condition, { minLength: 1, maxLength: 3 }) }),
  fc.record({ NOT: fc.array(condition, { minLength: 1, maxLength: 2 }) }),
)
const glob = fc
  .array(fc.oneof(word, fc.constantFrom('*', '?', '-', 'a', 'o', '\\*', ' ')), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join(''))
const part = fc
  .tuple(word, fc.nat(4), fc.nat(8))
  .map(([text, from, to]) => [...text].slice(from, to).join(''))
const body: fc.Arbitrary<Body> = fc.record(
  {
    search: fc.oneof(glob, part, word),
    filters,
    sort: fc.oneof(
      fc.record({ field, direction: fc.constantFrom('asc', 'desc') }),
      fc.tuple(field, field).map(([a, b]) => ({ [a]: 'desc', [b]: 1 })),
    ),
    case_sensitive: fc.boolean(),
  },
  { requiredKeys: [] },
)

async function makeBuckets({ request, deps }: TestApp, count: number, random: number): Promise<Bucket[]> {
  const scope = await defaultScope(deps)
  for (const [i, one] of fc.sample(seed, { numRuns: count, seed: random }).entries()) {
    const { status, body } = await request('POST', '/v1/buckets', {
      body: {
        bucket_name: `${one.names[0]} ${one.names[1]} ${i}`,
        description: one.description?.join(' '),
        bucket_schema: { properties: { hero: { type: one.schema_type } } },
        metadata: one.metadata,
        storage_class: one.storage_class,
        is_locked: one.is_locked,
      },
    })
    assert.equal(status, 200)
    await inTransaction(deps.db, async (trx) => {
      await changeObjectStats(trx, scope, body.bucket_id, { added: one.sizes, removed: [] })
      for (const to of one.batches) await changeBatchStats(trx, scope, body.bucket_id, { from: null, to })
    })
  }
  const { body } = await request('POST', '/v1/buckets/list', { body: { limit: 1000 } })
  assert.equal(body.results.length, count)
  return body.results
}

async function defaultScope({ bootstrap, namespaceLookup }: TestApp['deps']) {
  const { organizationId } = bootstrap
  return { organizationId, namespaceId: (await namespaceLookup.fallback(organizationId))!.namespace_id }
}

const ids = (buckets: readonly Bucket[]) => buckets.map(({ bucket_id }) => bucket_id)

for (const dialect of DIALECTS) {
  test(`any search, filter, sort and page finds what the plain model finds (${dialect})`, async (t) => {
    const server = await testApp(dialect)
    t.after(server.close)
    const buckets = await makeBuckets(server, Number(process.env.KURA_TEST_BUCKETS ?? 80), 42)
    const list = async (body: object) => {
      const answer = await server.request('POST', '/v1/buckets/list', { body })
      assert.equal(answer.status, 200, JSON.stringify([body, answer.body]))
      return answer.body
    }
    const scope = await defaultScope(server.deps)
    // The ways that a large namespace is searched, on a small one.
    const large = [1, 5, 1000].map(
      (candidates_max) => new BucketLister(server.deps.db, { candidates_max, index_buckets_min: 0 }),
    )
    await fc.assert(
      fc.asyncProperty(body, fc.integer({ min: 1, max: 30 }), fc.nat(90), async (body, limit, offset) => {
        const expected = model(buckets, body)
        const total = expected.matches.length
        const page = await list({ ...body, limit, offset })
        assert.deepEqual(ids(page.results), ids(expected.matches.slice(offset, offset + limit)))
        assert.deepEqual(page.results, expected.matches.slice(offset, offset + limit))
        assert.equal(page.total_count, total)
        assert.deepEqual(page.stats, {
          total_objects: expected.objects,
          total_size_bytes: expected.size_bytes,
          avg_objects_per_bucket: total === 0 ? 0 : expected.objects / total,
          avg_size_per_bucket: total === 0 ? 0 : expected.size_bytes / total,
        })
        for (const lister of large) {
          const text = await lister.list(
            scope,
            { case_sensitive: false, ...body },
            { limit, offset, cursor: null, include_total: false },
          )
          assert.deepEqual(JSON.parse(text), page)
        }
        // Following the cursors visits every match once, in order.
        const seen: string[] = []
        let cursor: string | undefined
        do {
          const next = await list({ ...body, limit: Math.max(limit, 10), ...(cursor && { cursor }) })
          seen.push(...ids(next.results))
          cursor = next.pagination.next_cursor
        } while (cursor)
        assert.deepEqual(seen, ids(expected.matches))
      }),
      { numRuns: Number(process.env.KURA_TEST_RUNS ?? 150) },
    )
  })
}

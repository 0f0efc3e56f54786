import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseFilter } from '../../src/core/filters/parse.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { FilterUses } from '../../src/platform/usage/filter-uses.ts'
import { createUsedIndexes } from '../../src/resources/namespaces/index.ts'
import { makeDocument } from '../support/make-document.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const HOUR_MS = 3600_000
/** The first hour of a quarter of a day. */
const START_MS = Date.UTC(2030, 0, 1)

const filter = (...fields: string[]) => ({
  AND: fields.map((field) => ({ field, operator: 'eq', value: 1 })),
})

for (const dialect of DIALECTS) {
  describe(`indexes of fields that filters use (${dialect})`, () => {
    let kura: TestApp
    const clock = { now_ms: START_MS, now: () => clock.now_ms }
    before(async () => {
      kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    })
    after(() => kura.close())

    let names = 0
    const namespace = async (auto_create_indexes = true) => {
      const body = {
        namespace_name: `ns-${names++}`,
        feature_extractors: [{ feature_extractor_name: 'passthrough_extractor', version: 'v1' }],
        auto_create_indexes,
      }
      const answer = await kura.request('POST', '/v1/namespaces', { body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body.namespace_id as string
    }

    /** A collection whose schema knows `year` and `sold_at`, with documents. */
    const collection = async (namespace_id: string, payloads: JsonObject[] = []) => {
      const ask = async (url: string, body: object) => {
        const answer = await kura.request('POST', url, { namespace: namespace_id, body })
        assert.equal(answer.status, 200, JSON.stringify(answer.body))
        return answer.body
      }
      const { bucket_id } = await ask('/v1/buckets', {
        bucket_name: 'cars',
        bucket_schema: { properties: { year: { type: 'integer' }, sold_at: { type: 'datetime' } } },
      })
      const { collection_id } = await ask('/v1/collections', {
        collection_name: 'cars',
        source: { type: 'bucket', bucket_ids: [bucket_id] },
        feature_extractor: { feature_extractor_name: 'passthrough_extractor', version: 'v1' },
      })
      for (const payload of payloads)
        await makeDocument(kura.deps.db, { namespace_id, collection_id, payload })
      return collection_id as string
    }

    /** A server that counts by the clock of the test. */
    const server = () => new FilterUses({ db: kura.deps.db, log: kura.deps.logger, clock })
    const use = async (namespaceId: string, times: number, ...fields: string[]) => {
      const uses = server()
      const node = parseFilter(filter(...fields), { profile: 'document' })
      for (let i = 0; i < times; i++) uses.count({ namespaceId }, node)
      await uses.flush()
    }
    const check = () => createUsedIndexes(kura.deps.db, clock)
    /** The next time at which uses are looked at. */
    const next = () => {
      clock.now_ms += 6 * HOUR_MS
    }
    const indexesOf = async (namespace_id: string) => {
      const { body } = await kura.request('GET', `/v1/namespaces/${namespace_id}`)
      return body.payload_indexes
        .filter(({ is_protected }: { is_protected: boolean }) => !is_protected)
        .map(({ field_name, type }: Record<string, string>) => `${field_name} ${type}`)
    }
    const rowsOf = (namespace_id: string) =>
      kura.deps.db.selectFrom('filter_uses').selectAll().where('namespace_id', '=', namespace_id).execute()

    test('more than a hundred uses in a day make an index of the type of the schema, as a user would', async () => {
      const namespace_id = await namespace()
      await collection(namespace_id)
      await use(namespace_id, 101, 'year', 'metadata.sold_at')
      await use(namespace_id, 100, 'brand')
      next()
      assert.equal(await check(), 2)
      assert.deepEqual(await indexesOf(namespace_id), ['sold_at datetime', 'year integer'])
      const audit = await kura.request(
        'GET',
        `/v1/organizations/audit/logs?action=namespace_updated&resource_id=${namespace_id}`,
      )
      assert.equal(audit.body.results[0].actor_type, 'system')
      await use(namespace_id, 1, 'brand')
      next()
      assert.equal(await check(), 1, 'the hundred and first use')
      assert.deepEqual(await indexesOf(namespace_id), ['sold_at datetime', 'year integer', 'brand keyword'])
    })

    test('where no schema names the field its values tell the type', async () => {
      const namespace_id = await namespace()
      await collection(namespace_id, [
        { rank: 1, price: 2, seen: '2020-01-01', on: true, mixed: 1, tags: ['a'], author: { age: 7 } },
        { rank: 2, price: 2.5, seen: '2020-01-01T10:00:00Z', on: false, mixed: 'x', tags: [], rest: null },
      ])
      const fields = ['rank', 'price', 'seen', 'on', 'mixed', 'tags', 'author.age', 'rest']
      await use(namespace_id, 101, ...fields)
      next()
      assert.equal(await check(), fields.length)
      assert.deepEqual(
        (await indexesOf(namespace_id)).sort(),
        [
          'author.age integer',
          'mixed keyword',
          'on bool',
          'price float',
          'rank integer',
          'rest keyword',
          'seen datetime',
          'tags keyword',
        ].sort(),
      )
    })

    test('requests are counted: lists and searches of documents by what they filter, and nothing else', async () => {
      const namespace_id = await namespace()
      const collection_id = await collection(namespace_id, [{ brand: 'a', year: 1 }])
      const list = (filters: object) =>
        kura.request('POST', `/v1/collections/${collection_id}/documents/list`, {
          namespace: namespace_id,
          body: { filters },
        })
      const wanted = { field: 'brand', operator: 'eq', value: 'a' }
      assert.equal((await list({ AND: [wanted, wanted] })).body.results.length, 1)
      await list({ OR: [{ field: 'metadata.brand', operator: 'in', value: ['b'] }] })
      await list({ AND: [{ field: 'year', operator: 'gte', value: 1 }] })
      for (const [field, operator, value] of [
        ['created_at', 'gt', '2020-01-01'],
        ['_internal.created_at', 'gt', '2020-01-01'],
        ['brand', 'exists', true],
        ['brand', 'ne', 'a'],
        ['tags[0]', 'eq', 'a'],
        ['a b', 'eq', 'a'],
      ])
        await list({ AND: [{ field, operator, value }] })
      const attribute = {
        stage_name: 'f',
        stage_type: 'filter',
        config: {
          stage_id: 'attribute_filter',
          parameters: { field: 'brand', operator: 'eq', value: 'a' },
        },
      }
      const searched = await kura.request('POST', '/v1/retrievers/execute', {
        namespace: namespace_id,
        body: { collection_identifiers: [collection_id], stages: [attribute] },
      })
      assert.equal(searched.status, 200, JSON.stringify(searched.body))
      assert.equal((await rowsOf(namespace_id)).length, 0, 'no request writes')
      await kura.deps.filterUses.flush()
      assert.deepEqual((await rowsOf(namespace_id)).map(({ field, uses }) => [field, uses]).sort(), [
        ['brand', 3],
        ['year', 1],
      ])
    })

    test('uses of several servers and hours add up, those of a day ago are gone', async () => {
      const namespace_id = await namespace()
      await use(namespace_id, 60, 'old', 'young')
      clock.now_ms += 12 * HOUR_MS
      await use(namespace_id, 30, 'old', 'young')
      await use(namespace_id, 30, 'young')
      clock.now_ms += 11 * HOUR_MS
      assert.equal(await check(), 1)
      assert.deepEqual(await indexesOf(namespace_id), ['young keyword'])
      clock.now_ms += 2 * HOUR_MS
      await use(namespace_id, 41, 'old')
      next()
      assert.equal(await check(), 0, '71 in a day')
      assert.ok((await rowsOf(namespace_id)).every(({ hour }) => hour > clock.now_ms / HOUR_MS - 24))
    })

    test('only one of several servers looks, and only four times a day', async () => {
      const namespace_id = await namespace()
      await use(namespace_id, 101, 'first')
      next()
      const made = await Promise.all([check(), check(), check()])
      assert.deepEqual(made.sort(), [0, 0, 1])
      await use(namespace_id, 101, 'second')
      clock.now_ms += HOUR_MS
      assert.equal(await check(), 0)
      next()
      assert.equal(await check(), 1)
    })

    test('without the flag nothing is counted, and what was counted before makes no index', async () => {
      const off = await namespace(false)
      const turned = await namespace()
      await use(off, 101, 'brand')
      await use(turned, 101, 'brand')
      assert.equal((await rowsOf(off)).length, 0)
      const patch = (auto_create_indexes: boolean) =>
        kura.request('PATCH', `/v1/namespaces/${turned}`, { body: { auto_create_indexes } })
      await patch(false)
      next()
      assert.equal(await check(), 0)
      await patch(true)
      next()
      assert.equal(await check(), 1)
    })

    test("the user's own indexes stay as they are, under either name of the field", async () => {
      const namespace_id = await namespace()
      await kura.request('PATCH', `/v1/namespaces/${namespace_id}`, {
        body: { payload_indexes: [{ field_name: 'metadata.brand', type: 'text' }] },
      })
      await use(namespace_id, 101, 'brand', 'document_id', 'internal_id')
      next()
      assert.equal(await check(), 0)
      assert.deepEqual(await indexesOf(namespace_id), ['metadata.brand text'])
    })

    test('invented fields fill neither memory nor table', async () => {
      const namespace_id = await namespace()
      const fields = Array.from({ length: 3000 }, (_, i) => `invented_${i}`)
      const uses = server()
      for (let start = 0; start < fields.length; start += 30)
        uses.count(
          { namespaceId: namespace_id },
          parseFilter(filter(...fields.slice(start, start + 30)), { profile: 'document' }),
        )
      await uses.flush()
      assert.equal((await rowsOf(namespace_id)).length, 500)
    })

    test('what cannot be written is written the next time', async () => {
      const namespace_id = await namespace()
      const uses = server()
      const node = parseFilter(filter('brand'), { profile: 'document' })
      uses.count({ namespaceId: namespace_id }, node)
      const { db } = kura.deps
      await db.schema.alterTable('filter_uses').renameTo('filter_uses_away').execute()
      await uses.flush()
      await db.schema.alterTable('filter_uses_away').renameTo('filter_uses').execute()
      uses.count({ namespaceId: namespace_id }, node)
      await uses.stop()
      assert.deepEqual(
        (await rowsOf(namespace_id)).map((row) => row.uses),
        [2],
      )
    })

    test('fields for which the database has no room are left alone', async () => {
      const namespace_id = await namespace()
      const fields = Array.from({ length: 40 }, (_, i) => `wide_${i}`)
      await use(namespace_id, 101, ...fields)
      next()
      const made = await check()
      assert.ok(made > 0 && made < 32, String(made))
      assert.equal((await indexesOf(namespace_id)).length, made)
      next()
      assert.equal(await check(), 0)
    })
  })
}

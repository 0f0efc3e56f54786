import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS } from '../support/test-app.ts'

/** More than an embedded database reads at once. */
const COUNT = 6000

type Listed = { object_id: string; n: number; rank?: number }

for (const dialect of DIALECTS) {
  describe(`a bucket with ${COUNT} objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      bucket_id = await kura.bucket()
      for (let first = 0; first < COUNT; first += 100) {
        const objects = Array.from({ length: 100 }, (_, i) => objectOf(first + i))
        const { status } = await kura.request('POST', `${bucket_id}/objects/batch`, { body: { objects } })
        assert.equal(status, 200)
      }
    })
    after(() => kura.close())

    /** Every seventh has no rank, so that some values are missing; ranks tie. */
    const objectOf = (n: number) => ({
      n,
      parity: n % 2 === 0 ? 'even' : 'odd',
      title: n === 17 ? 'Nadel im Heuhaufen "17" Größe' : `straw ${n}`,
      ...(n % 7 !== 0 && { rank: (n * 7919) % 1000 }),
    })

    const page = async (body: object, query = '') => {
      const answer = await kura.request('POST', `${bucket_id}/objects/list${query}`, { body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body as {
        results: Listed[]
        pagination: { next_cursor?: string; total?: number }
        stats?: object
      }
    }

    /** All pages of a list, by cursor. */
    const walk = async (body: object, limit: number): Promise<Listed[]> => {
      const all: Listed[] = []
      let cursor = ''
      do {
        const { results, pagination } = await page(body, `?limit=${limit}&cursor=${cursor}`)
        all.push(...results)
        cursor = pagination.next_cursor ?? ''
      } while (cursor !== '')
      return all
    }

    test('pages of a filtered list hold every match once, newest first', async () => {
      const odd = await walk({ filters: { parity: 'odd' } }, 700)
      assert.deepEqual(
        odd.map(({ n }) => n),
        Array.from({ length: COUNT / 2 }, (_, i) => COUNT - 1 - 2 * i),
      )
      const { results } = await page({ filters: { parity: 'even' } }, '?limit=2&offset=2999')
      assert.deepEqual(
        results.map(({ n }) => n),
        [0],
      )
    })

    test('any other order is that of the whole bucket, whatever the page, missing values last', async () => {
      for (const direction of ['asc', 'desc'] as const) {
        const sign = direction === 'asc' ? 1 : -1
        const expected = Array.from({ length: COUNT }, (_, n) => objectOf(n).rank ?? null).sort((a, b) =>
          a === null || b === null ? Number(a === null) - Number(b === null) : sign * (a - b),
        )
        const sorted = await walk({ sort: { field: 'rank', direction } }, 1000)
        assert.deepEqual(
          sorted.map(({ rank }) => rank ?? null),
          expected,
        )
        assert.equal(new Set(sorted.map(({ object_id }) => object_id)).size, COUNT)
        const { results } = await page({ sort: { field: 'rank', direction } }, '?limit=5&offset=3000')
        assert.deepEqual(results, sorted.slice(3000, 3005))
      }
      const oldest = await page({ sort: { field: 'created_at', direction: 'asc' } }, '?limit=3')
      assert.deepEqual(
        oldest.results.map(({ n }) => n),
        [0, 1, 2],
      )
    })

    test('total and statistics count every match', async () => {
      const { pagination, stats } = await page({ filters: { parity: 'odd' } }, '?include_total=true')
      assert.equal(pagination.total, COUNT / 2)
      const expected = {
        total_objects: COUNT / 2,
        total_blobs: 0,
        avg_blobs_per_object: 0,
        objects_by_status: { DRAFT: COUNT / 2 },
      }
      assert.deepEqual(stats, expected)
    })

    test('search finds the needle however it is spelled, and nothing where there is nothing', async () => {
      const found = async (search: string, more: object = {}) =>
        (await page({ search, ...more })).results.map(({ n }) => n)
      for (const phrase of ['nadel', 'HEUHAUFEN', '"17"', 'größe', 'GRÖßE', '*"17"*', 'na?el*e', 'l im h'])
        assert.deepEqual(await found(phrase), [17], phrase)
      assert.deepEqual(await found('Nadel', { case_sensitive: true }), [17])
      assert.deepEqual(await found('nadel', { case_sensitive: true }), [])
      assert.deepEqual(await found('straw 5999'), [5999])
      assert.deepEqual(await found('parity'), []) // The name of a member is no text of it.
      assert.deepEqual(await found('nothing of the kind'), [])
    })

    test('aggregation crosses the slices in which it reads', async () => {
      const { body } = await kura.request('POST', `${bucket_id}/objects/aggregate`, {
        body: {
          group_by: [{ field: 'parity' }],
          aggregations: [
            { function: 'count', alias: 'count' },
            { function: 'sum', field: 'n', alias: 'sum' },
            { function: 'first', field: 'n', alias: 'first' },
            { function: 'last', field: 'n', alias: 'last' },
            { function: 'count_distinct', field: 'rank', alias: 'ranks' },
            { function: 'push', field: 'n', alias: 'all' },
          ],
        },
      })
      for (const [i, parity] of ['even', 'odd'].entries()) {
        const numbers = Array.from({ length: COUNT / 2 }, (_, j) => 2 * j + i)
        const ranks = new Set(numbers.flatMap((n) => objectOf(n).rank ?? []))
        assert.deepEqual(body.results[i], {
          group: { parity },
          metrics: {
            count: numbers.length,
            sum: numbers.reduce((total, n) => total + n, 0),
            first: i,
            last: COUNT - 2 + i,
            ranks: ranks.size,
            all: numbers,
          },
        })
      }
    })
  })
}

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS, type TestResponse } from '../support/test-app.ts'

const PROPERTIES = {
  name: { type: 'string' },
  price: { type: 'number' },
  stock: { type: 'boolean' },
  body: { type: 'text' },
  hero: { type: 'image' },
} as const
const GIF = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'

/** Oldest first. */
const OBJECTS = [
  { name: 'Écran', price: 10, stock: true, key_prefix: 'catalog/screens' },
  {
    name: 'mouse',
    price: 5,
    stock: false,
    metadata: { color: 'dark red' },
    blobs: [{ property: 'body', data: 'squeak' }],
  },
  {
    name: 'Keyboard',
    metadata: { color: 'Dark Red', price: 7 },
    hero: { base64: GIF, filename: 'keys.gif' },
  },
  { name: 'cable 100%', price: 10, metadata: { type: 'video' } },
]

for (const dialect of DIALECTS) {
  describe(`lists of objects (${dialect})`, () => {
    let kura: ObjectsApp
    let bucket_id: string
    before(async () => {
      kura = await objectsApp(dialect)
      bucket_id = await kura.bucket({ schema: { properties: PROPERTIES } })
      for (const object of OBJECTS) await kura.create(bucket_id, object)
      await kura.create(await kura.bucket(), { name: 'of another bucket' })
    })
    after(() => kura.close())

    const list = (body?: object, query = ''): Promise<TestResponse> =>
      kura.request('POST', `${bucket_id}/objects/list${query}`, { body })
    const names = async (body?: object, query = ''): Promise<string[]> => {
      const answer = await list(body, query)
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body.results.map(({ name }: { name: string }) => name)
    }
    const found = async (filters: unknown, more: object = {}) => (await names({ filters, ...more })).sort()

    test('newest first, without a body, an empty one or null', async () => {
      const newest = ['cable 100%', 'Keyboard', 'mouse', 'Écran']
      for (const body of [undefined, {}, { filters: null, sort: null, search: '', select: null }])
        assert.deepEqual(await names(body), newest)
      const { body } = await list()
      assert.deepEqual(body.pagination, { page: 1, page_size: 10 })
      assert.equal(body.stats, undefined)
    })

    test('an object in a list looks as it does alone', async () => {
      const { body } = await list()
      const [first] = body.results
      assert.deepEqual((await kura.request('GET', `${bucket_id}/objects/${first.object_id}`)).body, first)
    })

    test('the total and statistics over all matches come when they are asked for', async () => {
      const { body } = await list({ filters: { price: { gte: 1 } } }, '?limit=1&include_total=true')
      const { total, total_pages, page, page_size, next_page } = body.pagination
      assert.deepEqual([total, total_pages, page, page_size], [4, 4, 1, 1])
      assert.match(next_page, new RegExp(`^/v1/buckets/${bucket_id}/objects/list\\?limit=1&offset=1$`))
      assert.deepEqual(body.stats, {
        total_objects: 4,
        total_blobs: 2,
        avg_blobs_per_object: 0.5,
        objects_by_status: { DRAFT: 4 },
      })
    })

    test('filters: root fields, metadata in either spelling, our own members, blobs', async () => {
      assert.deepEqual(await found({ price: 10 }), ['cable 100%', 'Écran'])
      assert.deepEqual(await found({ field: 'price', operator: 'eq', value: 7 }), ['Keyboard'])
      assert.deepEqual(await found({ 'metadata.price': 10 }), ['cable 100%', 'Écran'])
      assert.deepEqual(await found({ color: 'dark red' }), ['mouse'])
      assert.deepEqual(await found({ 'metadata.color': 'Dark Red' }), ['Keyboard'])
      assert.deepEqual(await found({ key_prefix: { starts_with: 'catalog/' } }), ['Écran'])
      assert.deepEqual(await found({ 'blobs.type': 'image' }), ['Keyboard'])
      assert.deepEqual(await found({ 'blobs.properties.text': { contains: 'SQUEAK' } }), ['mouse'])
      assert.deepEqual(await found({ 'blobs.details.mime_type': 'image/gif' }), ['Keyboard'])
      assert.deepEqual(await found({ status: 'DRAFT', stock: true }), ['Écran'])
      assert.deepEqual(await found({ created_at: { lt: '2020-01-01' } }), [])
      assert.deepEqual(await found({ OR: [{ name: 'mouse' }, { stock: true }] }), ['mouse', 'Écran'])
      assert.deepEqual(await found({ NOT: [{ field: 'price', operator: 'exists', value: true }] }), [])
      assert.deepEqual(await found({ nothing: 'x' }), [])
      const { body } = await list()
      const { object_id, name } = body.results[1]
      assert.deepEqual(await found({ object_id: [object_id, 'obj_x'] }), [name])
    })

    test('equality is exact until case_sensitive says otherwise', async () => {
      assert.deepEqual(await found({ color: 'dark red' }, { case_sensitive: false }), ['Keyboard', 'mouse'])
      assert.deepEqual(await found({ name: { contains: 'MOUSE' } }), ['mouse'])
      assert.deepEqual(await found({ name: { contains: 'MOUSE' } }, { case_sensitive: true }), [])
    })

    test('any other query parameter is an equality', async () => {
      assert.deepEqual(await names({}, '?price=10&stock=true'), ['Écran'])
      assert.deepEqual(await names({}, '?metadata.type=video'), ['cable 100%'])
      assert.deepEqual(await names({}, '?name=mouse&name=Keyboard'), ['Keyboard', 'mouse'])
      assert.deepEqual(await names({ filters: { stock: true } }, '?price=5'), [])
      assert.deepEqual(await names({}, '?unknown=x'), [])
    })

    test('search looks at ids, key prefixes, file names and texts of the user', async () => {
      assert.deepEqual(await names({ search: 'SCREENS' }), ['Écran'])
      assert.deepEqual(await names({ search: 'keys.gif' }), ['Keyboard'])
      assert.deepEqual(await names({ search: 'écran' }), ['Écran'])
      assert.deepEqual(await names({ search: 'DARK RED' }), ['Keyboard', 'mouse'])
      assert.deepEqual(await names({ search: 'DARK RED', case_sensitive: true }), [])
      assert.deepEqual(await names({ search: '100%' }), ['cable 100%'])
      assert.deepEqual(await names({ search: '%' }), ['cable 100%'])
      assert.deepEqual(await names({ search: 'key*' }), ['Keyboard'])
      assert.deepEqual(await names({ search: 'squeak' }), [], 'contents of blobs are not searched')
      const { object_id } = (await list()).body.results[0]
      assert.deepEqual(await names({ search: object_id.slice(4) }), ['cable 100%'])
    })

    test('sort by any field, folded, missing values last either way, ids as tie-breaker', async () => {
      assert.deepEqual(await names({ sort: { field: 'name' } }), ['cable 100%', 'Keyboard', 'mouse', 'Écran'])
      assert.deepEqual(await names({ sort: { price: 'desc' } }, '?limit=4').then((all) => all.slice(2)), [
        'Keyboard',
        'mouse',
      ])
      assert.deepEqual(
        await names({ sort: { field: 'stock', direction: 'desc' } }).then((all) => all.slice(0, 2)),
        ['Écran', 'mouse'],
      )
      assert.deepEqual(await names({}, '?sort_field=created_at&sort_direction=asc'), [
        'Écran',
        'mouse',
        'Keyboard',
        'cable 100%',
      ])
      assert.equal((await list({}, '?sort_field=name&sort_direction=sideways')).status, 422)
      assert.equal((await list({ sort: { field: 'name', direction: 'x' } })).status, 422)
    })

    test('cursors walk through every order once, however small the pages', async () => {
      for (const sort of [
        undefined,
        { field: 'name' },
        { field: 'price', direction: 'desc' },
        { field: 'missing' },
        { field: 'key_prefix' },
      ]) {
        const whole = await names({ sort })
        const walked: string[] = []
        let cursor: string | undefined
        do {
          const { body } = await list({ sort, limit: 1, ...(cursor && { cursor }) })
          walked.push(...body.results.map(({ name }: { name: string }) => name))
          if (cursor) assert.equal(body.pagination.page, undefined)
          cursor = body.pagination.next_cursor
        } while (cursor && walked.length < 10)
        assert.deepEqual(walked, whole, JSON.stringify(sort))
      }
    })

    test('a cursor keeps its place when objects are added, and fits no other query', async () => {
      const first = (await list({ limit: 2 })).body
      const cursor = first.pagination.next_cursor
      const { object_id } = await kura.create(bucket_id, { name: 'late' })
      assert.deepEqual(await names({ limit: 2, cursor }), ['mouse', 'Écran'])
      await kura.request('DELETE', `${bucket_id}/objects/${object_id}`)
      for (const other of [{ sort: { field: 'name' } }, { search: 'x' }, { filters: { a: 1 } }]) {
        const { status, body } = await list({ ...other, cursor })
        assert.deepEqual([status, body.error.code], [400, 'cursor_invalid'])
      }
      assert.equal((await list({ cursor: 'damaged' })).status, 400)
    })

    test('select shows what it names and always the ids', async () => {
      const { body } = await list({
        select: ['name', 'color', 'metadata.type', 'blobs.property'],
        filters: { name: 'mouse' },
      })
      const [{ object_id, ...rest }] = body.results
      assert.match(object_id, /^obj_/)
      assert.deepEqual(rest, {
        bucket_id,
        name: 'mouse',
        metadata: { color: 'dark red' },
        blobs: [{ property: 'body', type: 'text' }],
      })
    })

    test('limits, offsets and their bounds', async () => {
      assert.deepEqual(await names({}, '?limit=2&offset=1'), ['Keyboard', 'mouse'])
      assert.deepEqual(await names({ limit: 1, offset: 2 }, '?limit=9'), ['mouse'])
      assert.deepEqual(await names({ offset: 500 }), [])
      for (const body of [{ limit: 0 }, { limit: 1001 }, { offset: -1 }, { limit: 'many' }])
        assert.equal((await list(body)).status, 422, JSON.stringify(body))
    })

    test('what is no filter is refused', async () => {
      assert.equal((await list({ filters: { name: { about: 'x' } } })).status, 422)
      assert.equal((await list({ filters: 'x' })).status, 422)
      assert.equal((await list({ filters: { name: { regex: '(' } } })).status, 400)
    })

    test('signed addresses come when they are asked for', async () => {
      for (const query of ['?return_presigned_urls=true', '?return_url=true']) {
        const { body } = await list({ filters: { name: 'mouse' } }, query)
        assert.match(body.results[0].blobs[0].properties.presigned_url, /^http:.*\/v1\/files\/.*signature=/)
      }
      const { body } = await list({ filters: { name: 'mouse' } })
      assert.equal(body.results[0].blobs[0].properties.presigned_url, undefined)
    })
  })
}

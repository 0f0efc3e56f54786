import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makePng } from '../support/media.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

/** Values that fit a field type, and others that do not, as a client sends them. */
const VALUES: Record<string, { right: unknown[]; wrong: unknown[] }> = {
  string: { right: ['', 'x'], wrong: [1, true, {}, []] },
  number: { right: [1, 1.5, -2], wrong: ['1', true, []] },
  integer: { right: [0, -3, 2.0], wrong: [1.5, '1', false] },
  float: { right: [1, 0.1], wrong: ['0.1', true] },
  boolean: { right: [true, false], wrong: [0, 'true'] },
  object: { right: [{}, { a: { b: 1 } }], wrong: [[], 'x', 1] },
  array: { right: [[], [1, 'x', null]], wrong: [{}, 'x'] },
  date: { right: ['2024-02-29'], wrong: ['2023-02-29', '2024-2-9', '2024-02-29T00:00:00Z', 20240229] },
  datetime: { right: ['2024-02-29T10:00:00Z', '2024-02-29T10:00:00+02:00'], wrong: ['today', 1709200800] },
}
const FILE_TYPES = ['text', 'image', 'audio', 'video', 'pdf', 'excel']
const INVALID = 'schema_validation_failed'

for (const dialect of DIALECTS) {
  test(`all fifteen types are declared, kept, and hold for objects (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const types = [...Object.keys(VALUES), ...FILE_TYPES]
    assert.equal(types.length, 15)
    const properties = Object.fromEntries(types.map((type) => [`f_${type}`, { type: type.toUpperCase() }]))
    const { status, body } = await request('POST', '/v1/buckets', {
      body: { bucket_name: 'all', bucket_schema: { properties } },
    })
    assert.equal(status, 200)
    assert.deepEqual(
      body.bucket_schema.properties,
      Object.fromEntries(types.map((type) => [`f_${type}`, { type, required: false }])),
    )
    const url = `/v1/buckets/${body.bucket_id}/objects`
    for (const [type, { right, wrong }] of Object.entries(VALUES)) {
      const name = `f_${type}`
      for (const value of right) {
        const created = await request('POST', url, { body: { [name]: value } })
        assert.deepEqual(
          [created.status, created.body[name]],
          [200, value],
          `${type} ${JSON.stringify(value)}`,
        )
      }
      for (const value of wrong) {
        for (const sent of [{ [name]: value }, { metadata: { [name]: value } }]) {
          const refused = await request('POST', url, { body: sent })
          assert.deepEqual([refused.status, refused.body.error.code], [422, INVALID], JSON.stringify(sent))
          assert.ok(refused.body.error.message.includes(name), refused.body.error.message)
        }
      }
      assert.equal((await request('POST', url, { body: { [name]: null } })).status, 200, 'null is missing')
    }
    const png = Buffer.from(await makePng(8, 8)).toString('base64')
    for (const type of FILE_TYPES) {
      const blob = { property: `f_${type}`, type, data: { base64: png, mime_type: 'image/png' } }
      const answer = await request('POST', url, { body: { blobs: [blob] } })
      assert.equal(answer.status, type === 'image' ? 200 : 422, `a picture as ${type}`)
    }
    const mismatch = await request('POST', url, {
      body: { blobs: [{ property: 'f_image', type: 'video', data: { base64: png } }] },
    })
    assert.equal(mismatch.status, 422, 'the type of a blob is that of its property')
  })

  test(`older and JSON Schema spellings are understood, everything else is told what is valid (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    let count = 0
    const create = (bucket_schema: unknown) =>
      request('POST', '/v1/buckets', { body: { bucket_name: `bucket ${count++}`, bucket_schema } })
    for (const [legacy, type] of [
      ['json', 'object'],
      ['Document', 'pdf'],
      ['SPREADSHEET', 'excel'],
    ]) {
      const { body } = await create({ properties: { x: { type: legacy } } })
      assert.equal(body.bucket_schema.properties.x.type, type)
    }
    for (const type of ['keyword', 'uuid', 'binary', 'url', '', 'null', ['string', 'null'], 7, null]) {
      const { status, body } = await create({ properties: { x: { type } } })
      assert.equal(status, 422, JSON.stringify(type))
      const [violation] = body.detail
      assert.deepEqual(violation.loc, ['body', 'bucket_schema', 'properties', 'x', 'type'])
      if (typeof type === 'string')
        for (const valid of [...Object.keys(VALUES), ...FILE_TYPES])
          assert.ok(violation.msg.includes(`'${valid}'`), violation.msg)
    }
    assert.equal((await create({ properties: {} })).status, 200, 'properties may be empty')
    for (const wrong of [
      null,
      [],
      'x',
      {},
      { properties: [] },
      { properties: null },
      { properties: { x: 'string' } },
    ])
      assert.equal((await create(wrong)).status, 422, JSON.stringify(wrong))
    const { body } = await create({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      required: ['a', 'unknown'],
      properties: {
        a: { type: 'string', title: 'A', minLength: 2, examples: ['x', 1], 'x-widget': { rows: 3 } },
      },
    })
    assert.deepEqual(body.bucket_schema, {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      properties: {
        a: {
          type: 'string',
          title: 'A',
          minLength: 2,
          examples: ['x', 1],
          'x-widget': { rows: 3 },
          required: true,
        },
      },
    })
  })

  test(`defaults, enums and required fields hold at every depth (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const { body } = await request('POST', '/v1/buckets', {
      body: {
        bucket_name: 'deep',
        bucket_schema: {
          properties: {
            lang: { type: 'string', enum: ['en', 'de'], default: 'en' },
            tags: { type: 'array', enum: ['a', 'b'], items: { type: 'string' } },
            author: {
              type: 'object',
              properties: {
                name: { type: 'string', required: true },
                role: { type: 'string', default: 'guest' },
                books: {
                  type: 'array',
                  items: { type: 'object', properties: { year: { type: 'integer', required: true } } },
                },
              },
            },
          },
        },
      },
    })
    const url = `/v1/buckets/${body.bucket_id}/objects`
    const filled = await request('POST', url, { body: { author: { name: 'x', books: [{ year: 2020 }] } } })
    assert.deepEqual(
      [filled.status, filled.body.lang, filled.body.author],
      [200, 'en', { name: 'x', role: 'guest', books: [{ year: 2020 }] }],
    )
    const cases: [unknown, string][] = [
      [{ lang: 'EN' }, 'lang'],
      [{ tags: ['a', 'c'] }, 'tags.1'],
      [{ author: {} }, 'author.name'],
      [{ author: { name: null } }, 'author.name'],
      [{ author: { name: 'x', books: [{ year: 1 }, {}] } }, 'author.books.1.year'],
      [{ author: { name: 'x', books: [{ year: '1' }] } }, 'author.books.0.year'],
      [{ metadata: { lang: 'fr' } }, 'metadata.lang'],
    ]
    for (const [sent, place] of cases) {
      const refused = await request('POST', url, { body: sent })
      assert.deepEqual([refused.status, refused.body.error.code], [422, INVALID], JSON.stringify(sent))
      assert.match(
        refused.body.error.message,
        new RegExp(`^Schema validation failed: ${place.replaceAll('.', '\\.')}: `),
      )
      assert.equal(refused.body.detail[0].loc.slice(1).join('.'), place)
    }
    for (const [field, place] of [
      [{ type: 'integer', default: '1' }, 'default'],
      [{ type: 'string', enum: ['a'], default: 'b' }, 'default'],
      [
        { type: 'object', properties: { a: { type: 'date', default: '2023-02-29' } } },
        'properties.a.default',
      ],
      [{ type: 'array', items: { type: 'boolean', default: 0 } }, 'items.default'],
    ] as const) {
      const refused = await request('POST', '/v1/buckets', {
        body: { bucket_name: 'x', bucket_schema: { properties: { f: field } } },
      })
      assert.equal(refused.status, 422)
      assert.equal(refused.body.detail[0].loc.join('.'), `body.bucket_schema.properties.f.${place}`)
    }
  })

  test(`the limits of schemas hold: depth, number of fields, size, fields of a key (${dialect})`, async (t) => {
    const { request, close } = await testApp(dialect)
    t.after(close)
    const create = (body: object) => request('POST', '/v1/buckets', { body: { bucket_name: 'x', ...body } })
    const many = (count: number, field: object = { type: 'string' }) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, field]))
    const nested = (depth: number): object =>
      depth === 0 ? { type: 'string' } : { type: 'array', items: nested(depth - 1) }
    const refused: object[] = [
      { bucket_schema: { properties: many(501) } },
      { bucket_schema: { properties: many(100, { type: 'object', properties: many(5) }) } },
      { bucket_schema: { properties: { x: nested(10) } } },
      { bucket_schema: { properties: { x: { type: 'string', description: 'é'.repeat(140_000) } } } },
      { bucket_schema: { properties: { '': { type: 'string' } } } },
      { bucket_schema: { properties: many(40) }, unique_key: { fields: Object.keys(many(33)) } },
      { bucket_schema: { properties: many(1) }, unique_key: { fields: ['f0'], default_policy: 'replace' } },
      {
        bucket_schema: { properties: { x: { type: 'object', properties: many(1) } } },
        unique_key: { fields: ['x.f0'] },
      },
      ...['boolean', 'object', 'array', 'text', 'image'].map((type) => ({
        bucket_schema: { properties: { x: { type } } },
        unique_key: { fields: ['x'] },
      })),
    ]
    for (const body of refused) {
      const answer = await create(body)
      assert.equal(answer.status, 422, JSON.stringify(body).slice(0, 200))
    }
    assert.equal((await request('POST', '/v1/buckets/list')).body.total_count, 0)
    assert.equal(
      (await create({ bucket_schema: { properties: { ...many(490), x: nested(9) } } })).status,
      200,
    )
    const keyed = await create({
      bucket_name: 'keyed',
      bucket_schema: { properties: many(32) },
      unique_key: { fields: Object.keys(many(32)), default_policy: 'UPSERT' },
    })
    assert.deepEqual([keyed.status, keyed.body.unique_key.default_policy], [200, 'upsert'])
  })
}

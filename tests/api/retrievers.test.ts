import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sql } from 'kysely'
import { drainQueue } from '../support/drain-queue.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'

const TEXT = 'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1'
const BM25 = 'mixpeek://text_extractor@v1/bm25_sparse'

const NOTES = [
  {
    title: 'kitten',
    body: 'The kitten sleeps on the warm windowsill all afternoon.',
    year: 2021,
    tags: ['pets', 'home'],
  },
  {
    title: 'engine',
    body: 'The mechanic replaced the worn clutch of the old truck.',
    year: 2019,
    tags: ['cars'],
  },
  {
    title: 'soup',
    body: 'Simmer the carrots and leeks until the broth is golden.',
    year: 2023,
    tags: ['food', 'home'],
  },
  {
    title: 'orbit',
    body: 'The satellite circles the planet every ninety minutes.',
    year: 2022,
    tags: ['space'],
  },
  { title: 'dog', body: 'A puppy chased its tail across the garden.', year: 2020, tags: ['pets'] },
]

/** A bucket of notes and a text collection over them, processed. */
async function notes(app: TestApp): Promise<{ bucket_id: string; collection_id: string }> {
  const { request } = app
  const bucket = await request('POST', '/v1/buckets', {
    body: {
      bucket_name: 'notes',
      bucket_schema: {
        properties: {
          title: { type: 'string' },
          body: { type: 'text' },
          year: { type: 'integer' },
          tags: { type: 'array' },
        },
      },
    },
  })
  assert.equal(bucket.status, 200, JSON.stringify(bucket.body))
  const { bucket_id } = bucket.body
  const collection = await request('POST', '/v1/collections', {
    body: {
      collection_name: 'note-texts',
      source: { type: 'bucket', bucket_ids: [bucket_id] },
      feature_extractor: {
        feature_extractor_name: 'text_extractor',
        version: 'v1',
        input_mappings: { text: 'body' },
        field_passthrough: [{ source_path: 'title' }, { source_path: 'year' }, { source_path: 'tags' }],
      },
    },
  })
  assert.equal(collection.status, 200, JSON.stringify(collection.body))
  const objects = await request('POST', `/v1/buckets/${bucket_id}/objects/batch`, {
    body: { objects: NOTES },
  })
  assert.equal(objects.status, 200, JSON.stringify(objects.body))
  const object_ids = objects.body.succeeded.map((one: { object_id: string }) => one.object_id)
  const batch = await request('POST', `/v1/buckets/${bucket_id}/batches`, { body: { object_ids } })
  const submitted = await request('POST', `/v1/buckets/${bucket_id}/batches/${batch.body.batch_id}/submit`)
  assert.equal(submitted.status, 200, JSON.stringify(submitted.body))
  await drainQueue(app.deps)
  const done = await request('GET', `/v1/buckets/${bucket_id}/batches/${batch.body.batch_id}`)
  assert.equal(done.body.status, 'COMPLETED', JSON.stringify(done.body))
  return { bucket_id, collection_id: collection.body.collection_id }
}

const search = (feature_uri: string, parameters: object = {}) => ({
  stage_name: 'search',
  stage_type: 'filter',
  config: {
    stage_id: 'feature_search',
    parameters: {
      searches: [{ feature_uri, query: { input_mode: 'text', value: '{{INPUT.query}}' }, top_k: 5 }],
      ...parameters,
    },
  },
})

const titles = (body: { results: { title: string }[] }) => body.results.map((one) => one.title)

for (const dialect of DIALECTS) {
  test(`retrievers on ${dialect}`, async (t) => {
    const app = await testApp(dialect)
    t.after(app.close)
    const { request } = app
    const { collection_id } = await notes(app)

    await t.test('a text query finds by meaning, with statistics of each stage', async () => {
      const created = await request('POST', '/v1/retrievers', {
        body: {
          retriever_name: 'meaning',
          collection_identifiers: ['note-texts'],
          input_schema: { query: { type: 'text', required: true } },
          stages: [search(TEXT)],
        },
      })
      assert.equal(created.status, 200, JSON.stringify(created.body))
      assert.equal(created.body.retriever_id, created.body.retriever.retriever_id)
      assert.deepEqual(created.body.retriever.collection_ids, [collection_id])
      const { status, body } = await request('POST', '/v1/retrievers/meaning/execute', {
        body: { inputs: { query: 'a young cat napping' } },
      })
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(titles(body)[0], 'kitten')
      assert.deepEqual(body.documents, body.results)
      assert.equal(body.stage_statistics.stages.search.output_count, 5)
      assert.ok(body.results[0].score > body.results[1].score)
    })

    await t.test('keyword search scores the words and hybrid fuses both', async () => {
      const words = await request('POST', '/v1/retrievers/execute', {
        body: { collection_identifiers: ['note-texts'], stages: [search(BM25)], inputs: { query: 'clutch' } },
      })
      assert.equal(words.status, 200, JSON.stringify(words.body))
      assert.deepEqual(titles(words.body), ['engine'])
      const query = { input_mode: 'text', value: '{{INPUT.query}}' }
      const hybrid = await request('POST', '/v1/retrievers/execute', {
        body: {
          collection_identifiers: ['note-texts'],
          stages: [
            {
              stage_id: 'hybrid_search',
              parameters: {
                searches: [
                  { feature_uri: TEXT, query },
                  { feature_uri: BM25, query },
                ],
                fusion: 'rrf',
                final_top_k: 3,
              },
            },
          ],
          inputs: { query: 'puppy' },
        },
      })
      assert.equal(hybrid.status, 200, JSON.stringify(hybrid.body))
      assert.equal(titles(hybrid.body)[0], 'dog')
      assert.equal(hybrid.body.results[0].score, 1 / 61 + 1 / 61)
      assert.deepEqual(Object.keys(hybrid.body.results[0].features).sort(), [BM25, TEXT].sort())
    })

    await t.test(
      'filters narrow inside the search, and an absent input takes its condition away',
      async () => {
        const stages = [
          {
            stage_name: 'recent',
            stage_type: 'filter',
            config: {
              stage_id: 'attribute_filter',
              parameters: {
                conditions: { AND: [{ field: 'year', operator: 'gte', value: '{{INPUT.since}}' }] },
              },
            },
          },
          search(TEXT),
          {
            stage_name: 'newest',
            stage_type: 'sort',
            config: { stage_id: 'sort_attribute', parameters: { field: 'metadata.year', direction: 'desc' } },
          },
          {
            stage_name: 'few',
            stage_type: 'reduce',
            config: { stage_id: 'limit', parameters: { limit: 2 } },
          },
        ]
        const run = (inputs: object) =>
          request('POST', '/v1/retrievers/execute', {
            body: { collection_identifiers: ['note-texts'], stages, inputs },
          })
        const recent = await run({ query: 'animals', since: 2021 })
        assert.equal(recent.status, 200, JSON.stringify(recent.body))
        assert.deepEqual(titles(recent.body), ['soup', 'orbit'])
        assert.equal(recent.body.stage_statistics.stages.search.output_count, 3)
        const all = await run({ query: 'animals' })
        assert.equal(all.body.stage_statistics.stages.search.output_count, 5)
      },
    )

    await t.test('a document reference finds its neighbours and leaves itself out', async () => {
      const listed = await request('POST', `/v1/collections/${collection_id}/documents/list`, {
        body: { filters: { title: 'kitten' } },
      })
      const [{ document_id }] = listed.body.results
      const { status, body } = await request('POST', '/v1/retrievers/execute', {
        body: {
          collection_identifiers: ['note-texts'],
          stages: [
            {
              stage_id: 'feature_search',
              parameters: {
                searches: [
                  {
                    feature_uri: TEXT,
                    query: { input_mode: 'document', document_ref: { collection_id, document_id } },
                  },
                ],
              },
            },
          ],
          inputs: {},
        },
      })
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(titles(body)[0], 'dog')
      assert.ok(!titles(body).includes('kitten'))
    })

    await t.test('a raw vector is searched as it is; a wrong length or NaN is refused', async () => {
      const run = (value: unknown) =>
        request('POST', '/v1/retrievers/execute', {
          body: {
            collection_identifiers: ['note-texts'],
            stages: [
              {
                stage_id: 'feature_search',
                parameters: {
                  searches: [{ feature_uri: TEXT, query: { input_mode: 'vector', value: '{{INPUT.v}}' } }],
                },
              },
            ],
            inputs: { v: value },
          },
        })
      assert.equal((await run([1, 2, 3])).body.error.code, 'vector_dimension_mismatch')
      assert.equal((await run(['x', null])).body.error.code, 'vector_invalid')
      const { status, body } = await run(Array.from({ length: 384 }, (_, i) => Math.sin(i)))
      assert.equal(status, 200)
      assert.equal(body.results.length, 5)
    })

    await t.test('pages slice one list: cursor, offset, keyset', async () => {
      const run = (pagination: object) =>
        request('POST', '/v1/retrievers/meaning/execute', {
          body: { inputs: { query: 'animals' }, pagination },
        })
      const whole = titles((await run({ limit: 5 })).body)
      const first = await run({ method: 'cursor', limit: 2 })
      const second = await run({ method: 'cursor', limit: 2, cursor: first.body.pagination.cursor })
      assert.deepEqual([...titles(first.body), ...titles(second.body)], whole.slice(0, 4))
      const page = await run({ method: 'offset', page_size: 2, page_number: 3 })
      assert.deepEqual(titles(page.body), whole.slice(4))
      assert.equal(page.body.pagination.has_next, false)
      const keyset = await run({ method: 'keyset', limit: 2 })
      const after = await run({ method: 'keyset', limit: 2, after: keyset.body.pagination.next_cursor })
      assert.deepEqual(titles(after.body), whole.slice(2, 4))
      const foreign = await request('POST', '/v1/retrievers/meaning/execute', {
        body: { inputs: { query: 'other' }, pagination: { cursor: first.body.pagination.cursor } },
      })
      assert.equal(foreign.body.error.code, 'cursor_invalid')
      assert.equal((await run({ limit: 501 })).status, 422)
    })

    await t.test('bad definitions are refused with the place and change nothing', async () => {
      const create = (body: object) =>
        request('POST', '/v1/retrievers', {
          body: { retriever_name: 'bad', collection_identifiers: ['note-texts'], ...body },
        })
      assert.equal(
        (await create({ stages: [{ stage_id: 'embed', parameters: {} }] })).body.error.code,
        'stage_not_found',
      )
      assert.equal(
        (await create({ stages: [search('mixpeek://nothing@v1/x')] })).body.error.code,
        'feature_not_found',
      )
      assert.equal((await create({ stages: [] })).status, 422)
      assert.equal(
        (await create({ stages: [search(TEXT)], collection_identifiers: ['nowhere'] })).status,
        404,
      )
      const wrong = await create({ stages: [search(TEXT, { final_top_k: 501 })] })
      assert.equal(wrong.status, 422)
      assert.deepEqual(wrong.body.detail[0].loc, ['body', 'stages', 0, 'config', 'parameters', 'final_top_k'])
      assert.equal(
        (await create({ stages: [search(TEXT)], retriever_name: 'meaning' })).body.error.code,
        'retriever_name_taken',
      )
      assert.equal((await request('GET', '/v1/retrievers/bad')).status, 404)
    })

    await t.test('inputs are checked against the schema', async () => {
      const missing = await request('POST', '/v1/retrievers/meaning/execute', { body: {} })
      assert.equal(missing.status, 422)
      assert.equal(missing.body.error.code, 'retriever_input_invalid')
      assert.deepEqual(missing.body.detail, [
        { loc: ['body', 'inputs', 'query'], msg: 'Field required', type: 'missing' },
      ])
    })

    await t.test('list finds by search, delete removes', async () => {
      const listed = await request('POST', '/v1/retrievers/list', { body: { search: 'mean*' } })
      assert.equal(listed.body.total, 1)
      assert.equal((await request('DELETE', '/v1/retrievers/meaning')).body.success, true)
      assert.equal((await request('GET', '/v1/retrievers/meaning')).status, 404)
    })
  })
}

for (const dialect of DIALECTS) {
  test(`a payload index of the namespace serves filters, and changes no answer (${dialect})`, async (t) => {
    const app = await testApp(dialect)
    t.after(app.close)
    const { request } = app
    await notes(app)
    const run = () =>
      request('POST', '/v1/retrievers/execute', {
        body: {
          collection_identifiers: ['note-texts'],
          stages: [search(TEXT, { final_top_k: 5 })],
          inputs: { query: 'animals', filters: { AND: [{ field: 'tags', operator: 'eq', value: 'pets' }] } },
        },
      })
    const before = await run()
    assert.deepEqual(titles(before.body).sort(), ['dog', 'kitten'])
    const patched = await request('PATCH', '/v1/namespaces/default', {
      body: {
        payload_indexes: [
          { field_name: 'tags', type: 'keyword' },
          { field_name: 'year', type: 'integer' },
        ],
      },
    })
    assert.equal(patched.status, 200, JSON.stringify(patched.body))
    assert.deepEqual(titles((await run()).body), titles(before.body))
    const { rows } = await sql<{ name: string }>`${sql.raw(
      dialect === 'postgres'
        ? "select indexname as name from pg_indexes where indexname like 'documents_payload_%'"
        : "select name from sqlite_master where type = 'index' and name like 'documents_payload_%'",
    )}`.execute(app.deps.db)
    assert.ok(rows.length >= 2, 'the indexes are there')
  })
}

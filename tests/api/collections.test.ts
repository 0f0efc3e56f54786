import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { BucketSchema } from '../../src/core/bucket-schema.ts'
import { makeBucket } from '../support/make-bucket.ts'
import { makeNamespace } from '../support/make-namespace.ts'
import { DIALECTS, type RequestOptions, type TestApp, testApp } from '../support/test-app.ts'

const SCHEMA: BucketSchema = {
  properties: {
    title: { type: 'string', required: false },
    body: { type: 'text', required: true },
    photo: { type: 'image', required: false },
    price: { type: 'number', required: false },
  },
}
const text = (more: object = {}) => ({ feature_extractor_name: 'text_extractor', version: 'v1', ...more })
const passthrough = (more: object = {}) => ({
  feature_extractor_name: 'passthrough_extractor',
  version: 'v1',
  ...more,
})

for (const dialect of DIALECTS) {
  let kura: TestApp
  let namespace_id: string
  let bucket_id: string
  let count = 0
  const unique = (name: string) => `${name}-${count++}`

  before(async () => {
    kura = await testApp(dialect)
    namespace_id = await makeNamespace(kura.deps, 'tests')
    bucket_id = await bucket(SCHEMA)
  })
  after(() => kura.close())

  const bucket = (schema: BucketSchema | null) => makeBucket(kura.deps.db, { namespace_id, schema })
  const request = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, options: RequestOptions = {}) =>
    kura.request(method, url, { namespace: namespace_id, ...options })
  const post = (body: object) => request('POST', '/v1/collections', { body })
  const create = (more: object = {}) =>
    post({
      collection_name: unique('texts'),
      source: { type: 'bucket', bucket_ids: [bucket_id] },
      feature_extractor: text({ input_mappings: { text: 'body' } }),
      ...more,
    })
  const made = async (more: object = {}) => {
    const { status, body } = await create(more)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }
  const refuses = async (code: string, status: number, more: object) => {
    const answer = await create(more)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.equal(answer.body.error.code, code)
    return answer.body.error
  }
  const from = (...bucket_ids: string[]) => ({ type: 'bucket', bucket_ids })

  test(`a collection is answered with everything that the server computes (${dialect})`, async () => {
    const collection = await made({
      description: 'All texts',
      metadata: { team: 'search' },
      feature_extractor: text({
        input_mappings: { text: 'body' },
        field_passthrough: [{ source_path: 'metadata.title', target_path: 'name' }],
        parameters: { split_by: 'words', model: 'kept' },
      }),
    })
    assert.match(collection.collection_id, /^col_[a-z0-9]{10}$/)
    assert.equal(collection.document_count, 0)
    assert.equal(collection.schema_version, 1)
    assert.deepEqual(collection.source, { type: 'bucket', bucket_ids: [bucket_id], bucket_id })
    assert.deepEqual(collection.input_schema, SCHEMA)
    const { parameters, feature_extractor_id } = collection.feature_extractor
    assert.equal(feature_extractor_id, 'text_extractor_v1')
    assert.equal(parameters.extractor_type, 'text_extractor')
    assert.equal(parameters.split_by, 'words')
    assert.equal(parameters.chunk_size, 1000)
    assert.equal(parameters.model, 'kept')
    assert.equal(collection.output_schema.properties.name.type, 'string')
    assert.equal(collection.output_schema.properties.text_extractor_v1_embedding.type, 'array')
    assert.ok(collection.output_schema.properties.text)
    assert.ok(collection.output_schema.properties.chunk_index)
    assert.equal(collection.vector_indexes[0].index.name, 'text_extractor_v1_embedding')
    assert.equal(collection.source_lineage.length, 1)
    const read = await request('GET', `/v1/collections/${collection.collection_name}`)
    assert.deepEqual(read.body, collection)
  })

  test(`spellings that clients send mean the canonical form (${dialect})`, async () => {
    const name = unique('alias')
    const { status, body } = await post({
      name,
      source: { type: 'bucket', bucket_id },
      feature_extractors: [{ name: 'text_extractor@v1', input_mappings: { text: 'body' } }],
    })
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.collection_name, name)
    assert.equal(body.feature_extractor.feature_extractor_name, 'text_extractor')
    assert.equal(body.feature_extractor.version, 'v1')
    const more = [
      { feature_extractor: { id: 'text_extractor_v1', input_mappings: { text: 'body' } } },
      { feature_extractor: { feature_extractor_name: 'text_extractor', input_mappings: { text: 'body' } } },
      { source: { type: 'bucket', buckets: [bucket_id] } },
    ]
    for (const spelling of more) await made(spelling)
    await refuses('bad_request', 400, {
      feature_extractor: undefined,
      feature_extractors: [text(), text()],
    })
  })

  test(`a name has 3 to 100 characters, is no path segment, and is taken once in a namespace (${dialect})`, async () => {
    await refuses('validation_error', 422, { collection_name: 'ab' })
    await refuses('validation_error', 422, { collection_name: 'a'.repeat(101) })
    await refuses('reserved_name', 400, { collection_name: 'features' })
    await refuses('reserved_name', 400, { collection_name: 'list' })
    const { collection_name } = await made()
    await refuses('collection_name_taken', 409, { collection_name })
  })

  test(`a source names what exists and fits its type (${dialect})`, async () => {
    const { collection_id } = await made()
    await refuses('invalid_source', 400, { source: { type: 'bucket' } })
    await refuses('invalid_source', 400, {
      source: { type: 'bucket', bucket_ids: [bucket_id], collection_id },
    })
    await refuses('invalid_source', 400, { source: { type: 'collection' } })
    await refuses('invalid_source', 400, {
      source: { type: 'collection', collection_id, collection_ids: [collection_id] },
    })
    await refuses('invalid_source', 400, {
      source: { type: 'collection', collection_id, bucket_ids: [bucket_id] },
    })
    await refuses('invalid_source', 400, { source: { type: 'taxonomy' } })
    await refuses('validation_error', 422, { source: { type: 'table' } })
    await refuses('validation_error', 422, { source: { type: 'bucket', bucket_ids: [] } })
    await refuses('bucket_not_found', 404, { source: from('bkt_unknown') })
    await refuses('collection_not_found', 404, {
      source: { type: 'collection', collection_id: 'col_unknown' },
    })
    await refuses('not_enabled', 403, {
      source: { ...from(bucket_id), source_namespace_id: 'ns_other' },
    })
  })

  test(`several buckets are read as one only if their fields are the same (${dialect})`, async () => {
    const same = await bucket({ properties: { ...SCHEMA.properties } })
    const other = await bucket({
      properties: { ...SCHEMA.properties, price: { type: 'string' }, body: { type: 'text' } },
    })
    const both = await made({ source: from(bucket_id, same) })
    assert.deepEqual(Object.keys(both.source_bucket_schemas).sort(), [bucket_id, same].sort())
    assert.equal(both.source.bucket_id, undefined)
    const error = await refuses('incompatible_source_schemas', 400, { source: from(bucket_id, other) })
    assert.deepEqual(error.details.fields.sort(), ['body', 'price'])
  })

  test(`an unknown extractor is refused with what may have been meant (${dialect})`, async () => {
    const error = await refuses('feature_extractor_not_found', 400, {
      feature_extractor: text({ feature_extractor_name: 'txt_extractor' }),
    })
    assert.deepEqual(error.details.did_you_mean, ['text_extractor'])
    await refuses('feature_extractor_not_found', 400, { feature_extractor: text({ version: 'v9' }) })
  })

  test(`parameters are checked: ranges, rules across them, and whose they are (${dialect})`, async () => {
    const withParameters = (parameters: object) => ({
      feature_extractor: text({ parameters, input_mappings: { text: 'body' } }),
    })
    const error = await refuses('validation_error', 422, withParameters({ chunk_size: 0 }))
    assert.deepEqual(error.details.validation_errors[0].location, [
      'body',
      'feature_extractor',
      'parameters',
      'chunk_size',
    ])
    await refuses('extractor_type_mismatch', 400, withParameters({ extractor_type: 'image_extractor' }))
    await refuses('invalid_chunk_overlap', 400, withParameters({ chunk_size: 10, chunk_overlap: 10 }))
    await made(withParameters({ chunk_size: 10, chunk_overlap: 9 }))
    const masked = await made(
      withParameters({ llm_api_key: 'sk-secret', response_shape: { properties: {} } }),
    )
    assert.equal(masked.feature_extractor.parameters.llm_api_key, '********')
    const kept = await made(withParameters({ llm_api_key: '{{SECRET.openai}}' }))
    assert.equal(kept.feature_extractor.parameters.llm_api_key, '{{SECRET.openai}}')
  })

  test(`the params of an extractor are locked by the namespace; a missing built-in is added (${dialect})`, async () => {
    await made({
      feature_extractor: {
        feature_extractor_name: 'image_extractor',
        input_mappings: { image: 'photo' },
        params: { a: 1 },
      },
    })
    const { feature_extractors } = await kura.deps.db
      .selectFrom('namespaces')
      .select('feature_extractors')
      .where('namespace_id', '=', namespace_id)
      .executeTakeFirstOrThrow()
    assert.ok(feature_extractors.includes('image_extractor'))
    const image = (params: object) => ({
      feature_extractor: {
        feature_extractor_name: 'image_extractor',
        input_mappings: { image: 'photo' },
        params,
      },
    })
    await made(image({ a: 1 }))
    await refuses('extractor_params_mismatch', 400, image({ a: 2 }))
  })

  test(`input mappings lead from a field of the source to an input that takes its type (${dialect})`, async () => {
    const mapped = (input_mappings: unknown) => ({ feature_extractor: text({ input_mappings }) })
    const error = await refuses('input_mapping_field_not_found', 400, mapped({ text: 'bdy' }))
    assert.deepEqual(error.details.available.sort(), Object.keys(SCHEMA.properties).sort())
    await refuses('unknown_extractor_input', 400, mapped({ txt: 'body' }))
    await refuses('input_type_mismatch', 400, mapped({ text: 'photo' }))
    await refuses('validation_error', 422, mapped([{ input_key: 'text' }]))
    await refuses('bucket_schema_required', 400, {
      source: from(await bucket(null)),
      ...mapped({ text: 'body' }),
    })
    // Two fields could be meant.
    await refuses('input_mapping_required', 400, { feature_extractor: text() })
    const found = await made({
      source: from(await bucket({ properties: { story: { type: 'text' } } })),
      feature_extractor: text(),
    })
    assert.deepEqual(found.feature_extractor.input_mappings, { text: 'story' })
    const list = await made(mapped([{ input_key: 'text', source_type: 'payload', path: 'metadata.title' }]))
    assert.deepEqual(list.feature_extractor.input_mappings, [
      { input_key: 'text', source_type: 'payload', path: 'metadata.title' },
    ])
  })

  test(`passed fields exist in the source and overwrite nothing (${dialect})`, async () => {
    const passed = (field_passthrough: object[]) => ({
      feature_extractor: text({ input_mappings: { text: 'body' }, field_passthrough }),
    })
    await refuses('field_passthrough_not_found', 400, passed([{ source_path: 'titel' }]))
    await refuses('field_passthrough_conflict', 400, passed([{ source_path: 'title', target_path: 'text' }]))
    await refuses(
      'field_passthrough_conflict',
      400,
      passed([{ source_path: 'title', target_path: '_internal' }]),
    )
    await refuses(
      'field_passthrough_conflict',
      400,
      passed([{ source_path: 'title' }, { source_path: 'title' }]),
    )
    await made(passed([{ source_path: 'title' }]))
  })

  test(`attachments that would never run are refused, empty lists are not (${dialect})`, async () => {
    await refuses('not_enabled', 403, { taxonomy_applications: [{ taxonomy_id: 'tax_1' }] })
    await refuses('not_enabled', 403, { schedule: { trigger_type: 'cron', schedule_config: {} } })
    await made({ taxonomy_applications: [], alert_applications: null, schedule: null })
  })

  test(`source filters are checked when they are saved, with or without their wrapper (${dialect})`, async () => {
    const filtered = (source_filters: unknown) => ({ source: { ...from(bucket_id), source_filters } })
    const bad = { AND: [{ field: 'price', operator: 'near', value: 1 }] }
    await refuses('invalid_filter', 400, filtered({ filters: bad }))
    await refuses('invalid_filter', 400, filtered(bad))
    const { source } = await made(filtered({ price: { gt: 5 } }))
    assert.deepEqual(source.source_filters, { filters: { price: { gt: 5 } } })
  })

  test(`a collection on a collection reads its output and inherits its buckets (${dialect})`, async () => {
    const upstream = await made()
    const source = { type: 'collection', collection_id: upstream.collection_name }
    const copy = await made({ source, feature_extractor: passthrough() })
    assert.deepEqual(copy.source, {
      type: 'collection',
      collection_id: upstream.collection_id,
      inherited_bucket_ids: [bucket_id],
    })
    assert.deepEqual(copy.input_schema, upstream.output_schema)
    assert.equal(copy.source_lineage.length, 2)
    // Copying all copies the vector with its index.
    assert.deepEqual(
      copy.vector_indexes.map(({ feature_uri }: { feature_uri: string }) => feature_uri),
      upstream.vector_indexes.map(({ feature_uri }: { feature_uri: string }) => feature_uri),
    )
    assert.equal(copy.output_schema.properties.text_extractor_v1_embedding.type, 'array')
    const named = await made({
      source,
      feature_extractor: passthrough({ field_passthrough: [{ source_path: 'text' }] }),
    })
    assert.deepEqual(named.vector_indexes, [])
    assert.deepEqual(Object.keys(named.output_schema.properties), ['text'])
    await refuses('field_passthrough_not_found', 400, {
      source,
      feature_extractor: text({
        input_mappings: { text: 'text' },
        field_passthrough: [{ source_path: 'text_extractor_v1_embedding' }],
      }),
    })
  })

  test(`several upstream collections share the fields of equal name and type (${dialect})`, async () => {
    const pass = (source_path: string) =>
      passthrough({ field_passthrough: [{ source_path }, { source_path: 'body' }] })
    const one = await made({ feature_extractor: pass('title') })
    const two = await made({ feature_extractor: pass('price') })
    const both = await made({
      source: { type: 'collection', collection_ids: [one.collection_id, two.collection_id] },
      feature_extractor: text(),
    })
    assert.deepEqual(Object.keys(both.input_schema.properties), ['body'])
    assert.deepEqual(both.feature_extractor.input_mappings, { text: 'body' })
  })

  test(`only mutable members change; immutable ones may be repeated (${dialect})`, async () => {
    const collection = await made({ metadata: { a: 1, b: 2 }, description: 'old' })
    const path = `/v1/collections/${collection.collection_id}`
    const patch = (body: object) => request('PATCH', path, { body })
    const renamed = unique('renamed')
    const changed = await patch({
      collection_name: renamed,
      description: null,
      metadata: { b: null, c: 3 },
      enabled: false,
      schema_sync_enabled: false,
    })
    assert.equal(changed.status, 200, JSON.stringify(changed.body))
    assert.equal(changed.body.collection_name, renamed)
    assert.equal(changed.body.description, undefined)
    assert.deepEqual(changed.body.metadata, { a: 1, c: 3 })
    assert.equal(changed.body.enabled, false)
    assert.equal(changed.body.schema_sync_enabled, false)
    assert.ok(changed.body.updated_at > collection.updated_at)
    assert.equal((await patch(changed.body)).status, 200)
    for (const body of [
      { source: { type: 'bucket', bucket_ids: ['bkt_other'] } },
      { feature_extractor: { feature_extractor_name: 'image_extractor' } },
      { feature_extractor: { parameters: { chunk_size: 5 } } },
      { input_schema: { properties: { x: { type: 'string' } } } },
    ]) {
      const { status, body: answer } = await patch(body)
      assert.equal(status, 400, JSON.stringify(body))
      assert.equal(answer.error.code, 'immutable_field')
    }
    const other = await made()
    const taken = await patch({ collection_name: other.collection_name })
    assert.equal(taken.body.error.code, 'collection_name_taken')
    assert.equal((await patch({ schedule: null })).status, 200)
    assert.equal((await patch({ schedule: { trigger_type: 'cron', schedule_config: {} } })).status, 403)
  })

  test(`a deleted collection is unknown at once and its name is free (${dialect})`, async () => {
    const { collection_id, collection_name } = await made()
    const path = `/v1/collections/${collection_name}`
    const answer = await request('DELETE', path)
    assert.deepEqual(answer.body, {
      message: 'Successfully deleted',
      success: true,
      collection_id,
      deleted_documents: 0,
    })
    assert.equal((await request('GET', path)).status, 404)
    assert.equal((await request('DELETE', path)).status, 404)
    await made({ collection_name })
  })

  test(`features are one a vector index, the first being primary (${dialect})`, async () => {
    const { collection_id } = await made()
    const { body } = await request('GET', `/v1/collections/${collection_id}/features`)
    assert.equal(body.features.length, 1)
    assert.equal(
      body.features[0].feature_address,
      'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1',
    )
    assert.equal(body.features[0].primary, true)
    assert.equal(body.features[0].feature_extractor_name, 'text_extractor')
    const plain = await made({ feature_extractor: passthrough() })
    const none = await request('GET', `/v1/collections/${plain.collection_id}/features`)
    assert.deepEqual(none.body, { features: [] })
  })

  test(`the catalogue needs no key and knows every spelling of an id (${dialect})`, async () => {
    const path = '/v1/collections/features/extractors'
    const { body } = await request('GET', path, { key: null })
    assert.ok(
      body.some((one: { feature_extractor_id: string }) => one.feature_extractor_id === 'text_extractor_v1'),
    )
    for (const id of ['text_extractor_v1', 'text_extractor@v1', 'text_extractor'])
      assert.equal((await request('GET', `${path}/${id}`, { key: null })).body.version, 'v1', id)
    const unknown = await request('GET', `${path}/nothing_v1`, { key: null })
    assert.equal(unknown.status, 404)
  })

  test(`a collection of another namespace is unknown here (${dialect})`, async () => {
    const { collection_id } = await made()
    const other = await makeNamespace(kura.deps, 'other')
    const path = `/v1/collections/${collection_id}`
    const ask = (method: 'GET' | 'PATCH' | 'DELETE', url: string) =>
      request(method, url, { namespace: other, ...(method === 'PATCH' && { body: {} }) })
    for (const answer of [
      await ask('GET', path),
      await ask('PATCH', path),
      await ask('DELETE', path),
      await ask('GET', `${path}/features`),
    ]) {
      assert.equal(answer.status, 404)
      assert.equal(answer.body.error.code, 'collection_not_found')
    }
    const list = await request('POST', '/v1/collections/list', { namespace: other, body: {} })
    assert.equal(list.body.total_count, 0)
    const source = await request('POST', '/v1/collections', {
      namespace: other,
      body: { collection_name: 'foreign', source: from(bucket_id), feature_extractor: passthrough() },
    })
    assert.equal(source.body.error.code, 'bucket_not_found')
  })

  test(`the list searches, filters, sorts, counts all matches and pages (${dialect})`, async () => {
    const namespace = await makeNamespace(kura.deps, 'listed')
    const source = from(await makeBucket(kura.deps.db, { namespace_id: namespace, schema: SCHEMA }))
    const names = ['alpha-100%', 'beta', 'gamma']
    for (const [i, collection_name] of names.entries()) {
      const feature_extractor = i === 1 ? passthrough() : text({ input_mappings: { text: 'body' } })
      const body = { collection_name, source, feature_extractor, metadata: { rank: i } }
      assert.equal((await request('POST', '/v1/collections', { namespace, body })).status, 200)
    }
    await kura.deps.db
      .updateTable('collections')
      .set({ document_count: 4 })
      .where('collection_name', '=', 'beta')
      .execute()
    const list = async (body: object) => {
      const answer = await request('POST', '/v1/collections/list', { namespace, body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    }
    const found = async (body: object) =>
      (await list(body)).results.map((one: { collection_name: string }) => one.collection_name)

    assert.deepEqual(await found({}), ['gamma', 'beta', 'alpha-100%'])
    assert.deepEqual(await found({ search: 'TEXT_' }), ['gamma', 'alpha-100%'])
    assert.deepEqual(await found({ search: '%' }), ['alpha-100%'])
    assert.deepEqual(await found({ search: 'be*' }), ['beta'])
    assert.deepEqual(
      await found({ filters: { 'metadata.rank': { gte: 1 } }, sort: { field: 'collection_name' } }),
      ['beta', 'gamma'],
    )
    assert.deepEqual(await found({ filters: { collection_name: 'BETA' } }), ['beta'])
    assert.deepEqual(await found({ filters: { collection_name: 'BETA' }, case_sensitive: true }), [])
    assert.equal((await found({ sort: { field: 'document_count', direction: 'desc' } }))[0], 'beta')

    const first = await list({ limit: 2 })
    assert.equal(first.total_count, 3)
    assert.deepEqual(first.stats, {
      total_documents: 4,
      avg_documents_per_collection: 4 / 3,
      collections_with_taxonomies: 0,
      total_feature_extractors: 3,
      total_taxonomies: 0,
      total_retrievers: 0,
    })
    assert.equal(first.pagination.total, 3)
    assert.deepEqual(await found({ limit: 2, cursor: first.pagination.next_cursor }), ['alpha-100%'])
    const wrong = await request('POST', '/v1/collections/list', {
      namespace,
      body: { search: 'x', cursor: first.pagination.next_cursor },
    })
    assert.equal(wrong.body.error.code, 'cursor_invalid')
    assert.equal((await request('POST', '/v1/collections/list', { namespace })).body.total_count, 3)
  })
}

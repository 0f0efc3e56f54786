import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileAddress } from '../../src/core/file-address.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { inTransaction } from '../../src/platform/db/db.ts'
import { ensureVectorIndex, putVectors } from '../../src/platform/vectors/vector-store.ts'
import { deleteCollection, finishCollectionDelete } from '../../src/resources/collections/delete.ts'
import { makeBucket } from '../support/make-bucket.ts'
import { makeDocument } from '../support/make-document.ts'
import { makeNamespace } from '../support/make-namespace.ts'
import { DIALECTS, type RequestOptions, type TestApp, testApp } from '../support/test-app.ts'

type Named = { title: string }

for (const dialect of DIALECTS) {
  let kura: TestApp
  let namespace_id: string
  let bucket_id: string
  let count = 0

  before(async () => {
    kura = await testApp(dialect)
    namespace_id = await makeNamespace(kura.deps, 'tests')
    const schema = { properties: { title: { type: 'string' as const }, body: { type: 'text' as const } } }
    bucket_id = await makeBucket(kura.deps.db, { namespace_id, schema })
  })
  after(() => kura.close())

  const request = (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    options: RequestOptions = {},
  ) => kura.request(method, url, { namespace: namespace_id, ...options })
  const collection = async (more: object = {}): Promise<string> => {
    const { status, body } = await request('POST', '/v1/collections', {
      body: {
        collection_name: `documents-${count++}`,
        source: { type: 'bucket', bucket_ids: [bucket_id] },
        feature_extractor: { feature_extractor_name: 'text_extractor', input_mappings: { text: 'body' } },
        ...more,
      },
    })
    assert.equal(status, 200, JSON.stringify(body))
    return body.collection_id
  }
  const document = (collection_id: string, payload: JsonObject, more: object = {}) =>
    makeDocument(kura.deps.db, { namespace_id, collection_id, payload, ...more })
  const list = async (collection_id: string, body: object = {}) => {
    const answer = await request('POST', `/v1/collections/${collection_id}/documents/list`, { body })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }
  const titles = async (collection_id: string, body: object = {}) =>
    (await list(collection_id, body)).results.map(({ title }: Named) => title)
  const refusal = async (collection_id: string, body: object) => {
    const answer = await request('POST', `/v1/collections/${collection_id}/documents/list`, { body })
    return [answer.status, answer.body.error?.code]
  }
  const library = async (): Promise<string> => {
    const id = await collection()
    await document(id, {
      title: 'Alpha',
      category: 'a',
      year: 2001,
      tags: ['x', 'y'],
      author: { name: 'Ada' },
    })
    await document(id, { title: 'beta', category: 'b', year: 1999, tags: ['y'], note: '100% sure' })
    await document(id, { title: 'Gamma', category: 'a', year: null, tags: [] })
    await document(id, { title: 'delta', category: null })
    return id
  }
  /** A stored file that a document owns. */
  const file = (owner: string) =>
    inTransaction(kura.deps.db, async (trx) => {
      const scope = { organizationId: kura.deps.bootstrap.organizationId, namespaceId: namespace_id }
      const bytes = new TextEncoder().encode('a picture')
      const staged = await kura.deps.files.stage(scope, bytes, {
        mime_type: 'image/png',
        filename: 'a.png',
        limit_bytes: 1000,
      })
      const [file_id] = await kura.deps.files.commit(trx, scope, [staged], { type: 'document', id: owner })
      return file_id!
    })

  test(`a document shows its fields at the root and what the system knows under _internal (${dialect})`, async () => {
    const id = await collection()
    const lineage = {
      root_object_id: 'obj_a',
      root_bucket_id: bucket_id,
      source_type: 'bucket',
      processing_tier: 1,
    }
    const { document_id } = await document(
      id,
      { title: 'Alpha', __fully_enriched: true, __missing_features: [] },
      { internal: { lineage, metadata: { ingestion_status: 'COMPLETED' } } },
    )
    const { status, body } = await request('GET', `/v1/collections/${id}/documents/${document_id}`)
    assert.equal(status, 200)
    assert.equal(body.document_id, document_id)
    assert.equal(body.collection_id, id)
    assert.equal(body.title, 'Alpha')
    assert.equal(body.__fully_enriched, true)
    assert.deepEqual(body.document_blobs, [])
    assert.deepEqual(body._internal.lineage, lineage)
    assert.equal(body._internal.namespace_id, namespace_id)
    assert.match(body._internal.created_at, /Z$/)
    assert.equal(body.created_at, undefined)
  })

  test(`an unknown document, one of another collection and one of another namespace are not found (${dialect})`, async () => {
    const [id, other] = [await collection(), await collection()]
    const { document_id } = await document(id, { title: 'Alpha' })
    const foreign = await makeNamespace(kura.deps, `foreign-${count++}`)
    const path = (collection_id: string, one: string) => `/v1/collections/${collection_id}/documents/${one}`
    assert.equal((await request('GET', path(id, 'doc_unknown'))).body.error.code, 'document_not_found')
    assert.equal((await request('GET', path(other, document_id))).body.error.code, 'document_not_found')
    assert.equal((await request('DELETE', path(other, document_id))).body.error.code, 'document_not_found')
    for (const [method, url] of [
      ['GET', path(id, document_id)],
      ['DELETE', path(id, document_id)],
      ['GET', `${path(id, document_id)}/lineage`],
      ['POST', `/v1/collections/${id}/documents/list`],
    ] as const) {
      const answer = await request(method, url, { namespace: foreign })
      assert.equal(answer.body.error?.code, 'collection_not_found', `${method} ${url}`)
    }
    assert.equal((await request('GET', path(id, document_id))).status, 200)
  })

  test(`addresses become working URLs only on request, external URLs stay (${dialect})`, async () => {
    const id = await collection()
    const document_id = `doc_urls_${dialect}`
    const file_id = await file(document_id)
    const address = fileAddress(file_id)
    await document(
      id,
      { thumbnail_url: address, frames: [address], homepage: 'https://x.test/a' },
      {
        document_id,
        document_blobs: [
          { field: 'thumbnail', role: 'thumbnail', type: 'image', url: address },
          { field: 'photo', role: 'source', type: 'image', url: 's3://elsewhere/a.png' },
        ],
      },
    )
    const path = `/v1/collections/${id}/documents/${document_id}`
    const plain = (await request('GET', path)).body
    assert.equal(plain.thumbnail_url, address)
    assert.equal(plain.document_blobs[0].presigned_url, undefined)
    for (const body of [
      (await request('GET', `${path}?return_presigned_urls=true`)).body,
      (await request('GET', `${path}?return_url=true`)).body,
      (await list(id, { return_url: true })).results[0],
      (await list(id, { return_presigned_urls: true })).results[0],
    ]) {
      assert.match(body.thumbnail_url, new RegExp(`^http://.*/v1/files/${namespace_id}/${file_id}\\?`))
      assert.equal(body.frames[0], body.thumbnail_url)
      assert.equal(body.homepage, 'https://x.test/a')
      assert.equal(body.document_blobs[0].url, address)
      assert.equal(body.document_blobs[0].presigned_url, body.thumbnail_url)
      assert.equal(body.document_blobs[1].presigned_url, undefined)
    }
  })

  test(`vectors come under their storage name, and only on request (${dialect})`, async () => {
    const id = await collection()
    const { document_id, document_seq } = await document(id, { title: 'Alpha' })
    const scope = { organizationId: kura.deps.bootstrap.organizationId, namespaceId: namespace_id }
    await inTransaction(kura.deps.db, async (trx) => {
      const { vector_index_id } = await ensureVectorIndex(trx, scope, {
        storage_name: 'text_extractor_v1_embedding',
        feature_uri: 'mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1',
        dimensions: 3,
        distance: 'cosine',
        model_id: 'test/model',
        model_fingerprint: 'one',
      })
      await putVectors(trx, [{ vector_index_id, document_seq, collection_id: id, vector: [0, 1, 0] }])
    })
    const path = `/v1/collections/${id}/documents/${document_id}`
    assert.deepEqual(
      (await request('GET', `${path}?return_vectors=true`)).body.text_extractor_v1_embedding,
      [0, 1, 0],
    )
    assert.equal((await request('GET', path)).body.text_extractor_v1_embedding, undefined)
    const [listed] = (await list(id, { return_vectors: true, select: ['title'] })).results
    assert.deepEqual(listed, {
      document_id,
      collection_id: id,
      title: 'Alpha',
      text_extractor_v1_embedding: [0, 1, 0],
    })
  })

  test(`the list is oldest first, and a cursor keeps its place while documents come (${dialect})`, async () => {
    const id = await library()
    assert.deepEqual(await titles(id), ['Alpha', 'beta', 'Gamma', 'delta'])
    const first = await list(id, { limit: 3 })
    assert.equal(first.results.length, 3)
    assert.equal(first.groups, undefined)
    assert.deepEqual(first.stats, { total_documents: 3, avg_blobs_per_document: 0 })
    assert.equal(first.pagination.total, undefined)
    await document(id, { title: 'epsilon' })
    assert.deepEqual(await titles(id, { limit: 3, cursor: first.pagination.next_cursor }), [
      'delta',
      'epsilon',
    ])
    const counted = await list(id, { limit: 2, offset: 2, include_total: true })
    assert.equal(counted.pagination.total, 5)
    assert.equal(counted.stats.total_documents, 5)
    assert.equal(counted.pagination.page, 2)
    assert.deepEqual(await refusal(id, { search: 'x', cursor: first.pagination.next_cursor }), [
      400,
      'invalid_cursor',
    ])
    assert.deepEqual(await refusal(id, { cursor: 'damaged' }), [400, 'invalid_cursor'])
    assert.deepEqual(await refusal(id, { limit: 1000, offset: 9500 }), [400, 'bad_request'])
    assert.deepEqual(await refusal(id, { limit: 1001 }), [422, 'validation_error'])
  })

  test(`filters find fields at the root, under metadata, and system names (${dialect})`, async () => {
    const id = await library()
    const { document_id } = await document(
      id,
      { title: 'Zeta' },
      {
        root_object_id: 'obj_root',
        internal: { lineage: { root_object_id: 'obj_root', processing_tier: 2 } },
      },
    )
    const found = (filters: unknown) => titles(id, { filters })
    assert.deepEqual(await found({ category: 'a' }), ['Alpha', 'Gamma'])
    assert.deepEqual(await found({ 'metadata.category': 'a' }), ['Alpha', 'Gamma'])
    assert.deepEqual(await found({ AND: [{ field: 'year', operator: 'gte', value: 2000 }] }), ['Alpha'])
    assert.deepEqual(
      await found({
        OR: [
          { field: 'title', value: 'beta' },
          { field: 'author.name', value: 'Ada' },
        ],
      }),
      ['Alpha', 'beta'],
    )
    assert.deepEqual(await found({ NOT: [{ field: 'tags', operator: 'in', value: ['x'] }] }), [
      'beta',
      'Gamma',
      'delta',
      'Zeta',
    ])
    assert.deepEqual(await found({ field: 'category', operator: 'exists', value: false }), ['Zeta'])
    assert.deepEqual(await found({ object_id: 'obj_root' }), ['Zeta'])
    assert.deepEqual(await found({ root_object_id: 'obj_root', document_id }), ['Zeta'])
    assert.deepEqual(await found({ processing_tier: { $gte: 2 } }), ['Zeta'])
    assert.deepEqual(await found({ '_internal.created_at': { gt: '2001-01-01' } }), await titles(id))
    assert.deepEqual(await found({ created_at: { gt: '2999-01-01' } }), [])
    assert.deepEqual(await found([{ field: 'title', value: 'beta' }]), ['beta'])
    assert.deepEqual(await refusal(id, { filters: { field: 'year', operator: 'near', value: 1 } }), [
      400,
      'invalid_filter',
    ])
    assert.deepEqual(await refusal(id, { filters: { title: { regex: '(' } } }), [400, 'invalid_regex'])
  })

  test(`search looks into root strings, takes wildcards, and % is a character (${dialect})`, async () => {
    const id = await library()
    assert.deepEqual(await titles(id, { search: 'ALPH' }), ['Alpha'])
    assert.deepEqual(await titles(id, { search: '*ta' }), ['beta', 'delta'])
    assert.deepEqual(await titles(id, { search: '%' }), ['beta'])
    // The author is an object: its members are no root strings.
    assert.deepEqual(await titles(id, { search: 'Ada' }), [])
  })

  test(`sorting takes any path, puts missing values last, and pages by cursor (${dialect})`, async () => {
    const id = await library()
    assert.deepEqual(await titles(id, { sort: { field: 'title' } }), ['Alpha', 'beta', 'delta', 'Gamma'])
    const years = (direction: string) => titles(id, { sort: { field: 'year', direction } })
    assert.deepEqual((await years('asc')).slice(0, 2), ['beta', 'Alpha'])
    assert.deepEqual((await years('desc')).slice(0, 2), ['Alpha', 'beta'])
    for (const sort of [
      { field: 'year', direction: 'desc' },
      { field: 'title' },
      { field: 'created_at', direction: 'desc' },
    ]) {
      const all = await titles(id, { sort })
      const paged: string[] = []
      let cursor: string | undefined
      do {
        const page = await list(id, { sort, limit: 1, cursor })
        paged.push(...page.results.map(({ title }: Named) => title))
        cursor = page.pagination.next_cursor
      } while (cursor)
      assert.deepEqual(paged, all)
    }
  })

  test(`select keeps ids and the named fields; system names come to the root (${dialect})`, async () => {
    const id = await collection()
    const { document_id } = await document(
      id,
      { title: 'Alpha', author: { name: 'Ada', age: 36 } },
      { internal: { lineage: { root_object_id: 'obj_a' } }, root_object_id: 'obj_a' },
    )
    const ids = { document_id, collection_id: id }
    const one = async (select: string[]) => (await list(id, { select })).results[0]
    assert.deepEqual(await one(['title']), { ...ids, title: 'Alpha' })
    assert.deepEqual(await one(['author.name', 'root_object_id']), {
      ...ids,
      author: { name: 'Ada' },
      root_object_id: 'obj_a',
    })
    assert.deepEqual(Object.keys(await one(['_internal'])).sort(), [
      '_internal',
      'collection_id',
      'document_id',
    ])
  })

  test(`groups come in order of first appearance, with exact counts, and are what is paged (${dialect})`, async () => {
    const id = await library()
    const grouped = await list(id, { group_by: 'category', include_total: true })
    assert.equal(grouped.results, undefined)
    assert.equal(grouped.group_by_field, 'category')
    assert.deepEqual(
      grouped.groups.map((group: { group_key: unknown; count: number; documents: Named[] }) => [
        group.group_key,
        group.count,
        group.documents.map(({ title }) => title),
      ]),
      [
        ['a', 2, ['Alpha', 'Gamma']],
        ['b', 1, ['beta']],
        [null, 1, ['delta']],
      ],
    )
    assert.equal(grouped.stats.total_groups, 3)
    assert.equal(grouped.stats.total_documents, 4)
    assert.equal(grouped.pagination.total, 3)
    const keys = async (body: object) => {
      const answer = await list(id, body)
      return [
        answer.groups.map(({ group_key }: { group_key: unknown }) => group_key),
        answer.pagination.next_cursor,
      ]
    }
    // A list makes its document a member of several groups; an empty one has none.
    const tags = await list(id, { group_by: 'tags' })
    assert.deepEqual(
      tags.groups.map(({ group_key, count }: { group_key: unknown; count: number }) => [group_key, count]),
      [
        ['x', 1],
        ['y', 2],
        [null, 2],
      ],
    )
    const [first, cursor] = await keys({ group_by: 'category', limit: 2 })
    assert.deepEqual(first, ['a', 'b'])
    assert.deepEqual(await keys({ group_by: 'category', limit: 2, cursor }), [[null], undefined])
  })

  test(`a document made by hand keeps its fields, lineage and id (${dialect})`, async () => {
    const id = await collection()
    const path = `/v1/collections/${id}/documents`
    const create = (body: object) => request('POST', path, { body })
    const answer = await create({
      collection_id: id,
      document_id: `hand-made_${dialect}`,
      title: 'Alpha',
      note: null,
      root_object_id: 'obj_unknown',
      source_document_id: null,
      lineage_path: 'a/b',
      features: [{ feature_extractor_id: 'text_extractor_v1', payload: { text: 'from a feature' } }],
    })
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    const { _internal, ...fields } = answer.body
    assert.deepEqual(fields, {
      document_id: `hand-made_${dialect}`,
      collection_id: id,
      document_blobs: [],
      title: 'Alpha',
      note: null,
      text: 'from a feature',
    })
    assert.deepEqual(_internal.lineage, { root_object_id: 'obj_unknown', path: 'a/b' })
    assert.deepEqual((await request('GET', `${path}/hand-made_${dialect}`)).body, answer.body)
    assert.equal((await request('GET', `/v1/collections/${id}`)).body.document_count, 1)
    assert.match((await create({ title: 'x' })).body.document_id, /^doc_[0-9a-f]{24}$/)
    const code = async (body: object) => {
      const { status, body: refused } = await create(body)
      return [status, refused.error?.code]
    }
    assert.deepEqual(await code({ document_id: `hand-made_${dialect}` }), [409, 'document_already_exists'])
    assert.deepEqual(await code({ document_id: 'no spaces' }), [422, 'validation_error'])
    assert.deepEqual(await code({ collection_id: 'col_other' }), [400, 'bad_request'])
  })

  test(`vectors of a document made by hand go to the feature that they name (${dialect})`, async () => {
    const id = await collection()
    const model = kura.deps.models.describe('text')
    assert.ok(model)
    const vector = new Array(model.dimensions).fill(0)
    vector[2] = 1
    const created = async (vectors: unknown) => {
      const answer = await request('POST', `/v1/collections/${id}/documents`, {
        body: { features: [{ vectors }] },
      })
      if (answer.status !== 200) return [answer.status, answer.body.error.code]
      const url = `/v1/collections/${id}/documents/${answer.body.document_id}?return_vectors=true`
      return (await request('GET', url)).body.text_extractor_v1_embedding[2]
    }
    // Other tests write vectors of another size into this namespace's index.
    await kura.deps.db.deleteFrom('vectors').execute()
    await kura.deps.db.deleteFrom('vector_indexes').where('namespace_id', '=', namespace_id).execute()
    assert.equal(await created(vector), 1)
    assert.equal(await created({ text_embedding: vector }), 1)
    assert.equal(await created({ 'mixpeek://text_extractor@v1/embedding': vector }), 1)
    assert.equal(await created({ anything: vector }), 1)
    assert.deepEqual(await created({ anything: vector, other: vector }), [400, 'feature_uri_not_found'])
    assert.deepEqual(await created([1, 2]), [400, 'vector_dimension_mismatch'])
    assert.deepEqual(await created(['x']), [422, 'validation_error'])
  })

  test(`a patch merges, a put replaces, and neither touches ids or vectors (${dialect})`, async () => {
    const id = await collection()
    const { document_id } = await document(id, {
      title: 'Alpha',
      author: { name: 'Ada', age: 36 },
      tags: ['a'],
    })
    const path = `/v1/collections/${id}/documents/${document_id}`
    const before = (await request('GET', path)).body
    const patched = await request('PATCH', path, {
      body: { author: { age: 37 }, tags: ['b'], 'stats.views': 1 },
    })
    assert.equal(patched.status, 200, JSON.stringify(patched.body))
    assert.deepEqual(patched.body.author, { name: 'Ada', age: 37 })
    assert.deepEqual(patched.body.tags, ['b'])
    assert.deepEqual(patched.body.stats, { views: 1 })
    assert.equal(patched.body.title, 'Alpha')
    assert.ok(patched.body._internal.updated_at > before._internal.updated_at)
    assert.equal(patched.body._internal.created_at, before._internal.created_at)
    // What was read can be written back.
    assert.equal((await request('PATCH', path, { body: patched.body })).status, 200)
    const put = await request('PUT', path, { body: { headline: 'H' } })
    assert.deepEqual(Object.keys(put.body).sort(), [
      '_internal',
      'collection_id',
      'document_blobs',
      'document_id',
      'headline',
    ])
    const refused = async (body: object) => (await request('PATCH', path, { body })).body.error?.code
    assert.equal(await refused({ document_id: 'doc_other' }), 'immutable_field')
    assert.equal(await refused({ _internal: { created_at: '2020-01-01' } }), 'immutable_field')
    assert.equal(await refused({ text_extractor_v1_embedding: [1] }), 'vector_update_not_supported')
    assert.equal((await request('PATCH', `${path}x`, { body: {} })).body.error.code, 'document_not_found')
    await request('PATCH', path, { body: { root_object_id: 'obj_moved' } })
    assert.deepEqual(await titles(id, { filters: { object_id: 'obj_moved' }, select: ['headline'] }), [
      undefined,
    ])
  })

  test(`deleting removes one document and counts it out; what was made from it stays (${dialect})`, async () => {
    const [id, below] = [await collection(), await collection()]
    const { document_id } = await document(id, { title: 'Alpha' })
    const child = await document(below, { title: 'child' }, { source_document_id: document_id })
    const path = `/v1/collections/${id}/documents/${document_id}`
    assert.deepEqual((await request('DELETE', path)).body, { message: 'Successfully deleted', success: true })
    assert.equal((await request('DELETE', path)).status, 404)
    assert.equal((await request('GET', `/v1/collections/${id}`)).body.document_count, 0)
    assert.equal(
      (await request('GET', `/v1/collections/${below}/documents/${child.document_id}`)).status,
      200,
    )
  })

  test(`deleting a collection removes its documents, their vectors and their files (${dialect})`, async () => {
    const id = await collection()
    const { db, files } = kura.deps
    const scope = { organizationId: kura.deps.bootstrap.organizationId, namespaceId: namespace_id }
    for (let i = 0; i < 3; i++) await document(id, { title: String(i) })
    const file_id = await file(`doc_owner_${dialect}`)
    await document(id, { title: 'with file' }, { document_id: `doc_owner_${dialect}` })
    assert.equal((await files.info(scope, file_id)).size_bytes, 9)
    const answer = await request('DELETE', `/v1/collections/${id}`)
    assert.equal(answer.body.deleted_documents, 4)
    const left = await db
      .selectFrom('documents')
      .select('document_id')
      .where('collection_id', '=', id)
      .execute()
    assert.deepEqual(left, [])
    await assert.rejects(files.info(scope, file_id), { code: 'file_not_found' })
  })

  test(`what a deletion cannot remove in time is left to a job, with a task to watch (${dialect})`, async () => {
    const id = await collection()
    const { db, files, queue, bootstrap } = kura.deps
    const scope = { organizationId: bootstrap.organizationId, namespaceId: namespace_id }
    for (let i = 0; i < 3; i++) await document(id, { title: String(i) })
    const answer = await deleteCollection({ db, files, queue }, scope, id, { signal: AbortSignal.abort() })
    const task = async () => (await request('GET', `/v1/tasks/${answer.task_id}`)).body
    assert.equal((await task()).status, 'IN_PROGRESS')
    assert.equal((await request('GET', `/v1/collections/${id}`)).status, 404)
    const jobs = await db
      .selectFrom('jobs')
      .select('payload')
      .where('kind', '=', 'delete_collection')
      .execute()
    const payload = jobs
      .map((job) => JSON.parse(job.payload))
      .find(({ collection_id }) => collection_id === id)
    assert.equal(payload.task_id, answer.task_id)
    await finishCollectionDelete({ db, files }, scope, payload, new AbortController().signal)
    const left = await db
      .selectFrom('documents')
      .select('document_id')
      .where('collection_id', '=', id)
      .execute()
    assert.deepEqual(left, [])
    assert.equal((await task()).status, 'COMPLETED')
    // A job may run twice.
    await finishCollectionDelete({ db, files }, scope, payload, new AbortController().signal)
  })

  test(`lineage leads from the object to the document and marks what is gone (${dialect})`, async () => {
    const first = await collection()
    const second = await collection({
      source: { type: 'collection', collection_id: first },
      feature_extractor: { feature_extractor_name: 'passthrough_extractor' },
    })
    const root = { root_object_id: 'obj_gone', root_bucket_id: bucket_id }
    const parent = await document(first, { title: 'parent' }, root)
    const child = await document(
      second,
      { title: 'child' },
      {
        ...root,
        source_document_id: parent.document_id,
        internal: {
          lineage: { source_type: 'collection', path: `${bucket_id}/${first}/${second}`, processing_tier: 2 },
        },
      },
    )
    const lineage = async (collection_id: string, document_id: string) =>
      (await request('GET', `/v1/collections/${collection_id}/documents/${document_id}/lineage`)).body
    const found = await lineage(second, child.document_id)
    assert.equal(found.lineage_path, `${bucket_id}/${first}/${second}`)
    assert.equal(found.processing_tier, 2)
    assert.equal(found.children_count, 0)
    assert.deepEqual(
      found.chain.map(({ step, type, missing, document_id }: JsonObject) => [
        step,
        type,
        missing,
        document_id,
      ]),
      [
        [0, 'object', true, undefined],
        [1, 'document', undefined, parent.document_id],
        [2, 'document', undefined, child.document_id],
      ],
    )
    assert.equal(found.chain[1].feature_extractor_id, 'text_extractor_v1')
    assert.deepEqual(found.parents, [found.chain[1]])
    assert.equal((await lineage(first, parent.document_id)).children_count, 1)
    await request('DELETE', `/v1/collections/${first}/documents/${parent.document_id}`)
    assert.equal((await lineage(second, child.document_id)).chain[1].missing, true)
  })

  test(`an object shows what was made of it, by document and as a tree (${dialect})`, async () => {
    const own_bucket = await makeBucket(kura.deps.db, {
      namespace_id,
      name: `tree-${dialect}`,
      schema: { properties: { body: { type: 'text' } } },
    })
    const first = await collection({ source: { type: 'bucket', bucket_ids: [own_bucket] } })
    const second = await collection({
      source: { type: 'collection', collection_id: first },
      feature_extractor: { feature_extractor_name: 'passthrough_extractor' },
    })
    const root = { root_object_id: `obj_tree_${dialect}`, root_bucket_id: own_bucket }
    const made = [await document(first, { title: 'a' }, root), await document(first, { title: 'b' }, root)]
    const path = `/v1/objects/${root.root_object_id}`
    const all = (await request('GET', `${path}/documents`)).body
    assert.equal(all.total_documents, 2)
    assert.deepEqual(
      all.documents.map(({ title }: Named) => title),
      ['a', 'b'],
    )
    assert.equal(all.collections[0].collection_id, first)
    const page = (await request('GET', `${path}/documents?limit=1`)).body
    const rest = (await request('GET', `${path}/documents?limit=1&cursor=${page.pagination.next_cursor}`))
      .body
    assert.equal(rest.documents[0].title, 'b')
    assert.equal((await request('GET', `${path}/documents?collection_ids=${second}`)).body.total_documents, 0)
    const both = await request('GET', `${path}/documents?collection_ids=${second}&collection_ids=${first}`)
    assert.equal(both.body.total_documents, 2)

    const tree = (await request('GET', `${path}/decomposition-tree?include_document_ids=true`)).body
    assert.equal(tree.total_documents, 2)
    assert.equal(tree.max_tier, 2)
    assert.equal(tree.tree.name, `tree-${dialect}`)
    const [top] = tree.tree.children
    assert.equal(top.id, first)
    assert.equal(top.document_count, 2)
    assert.deepEqual(
      top.document_ids,
      made.map(({ document_id }) => document_id),
    )
    // It reads the first collection and has made nothing yet.
    assert.equal(top.children[0].id, second)
    assert.equal(top.children[0].document_count, 0)
    assert.equal(top.children[0].tier, 2)

    for (const url of ['/v1/objects/obj_nothing/documents', '/v1/objects/obj_nothing/decomposition-tree'])
      assert.equal((await request('GET', url)).body.error.code, 'object_not_found')
    const foreign = await makeNamespace(kura.deps, `foreign-${count++}`)
    assert.equal((await request('GET', `${path}/documents`, { namespace: foreign })).status, 404)
  })
}

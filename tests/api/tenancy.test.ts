import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { tableContents } from '../support/table-contents.ts'
import {
  type Account,
  makeAccount,
  makeOrganization,
  makeTenant,
  searchStage,
  type Tenant,
} from '../support/tenant.ts'
import { DIALECTS, type RequestOptions, type TestApp, testApp } from '../support/test-app.ts'

type Method = Parameters<TestApp['request']>[0]

/** Routes whose answer does not depend on a namespace: what they name belongs to everybody. */
const SHARED = [
  '/v1/collections/features/extractors/:feature_extractor_id',
  '/v1/namespaces/:namespace_identifier/extractors/:extractor_id',
]
/** They speak a protocol of their own, which tests/api/uploads-resumable.test.ts knows. */
const RESUMABLE = '/uploads/tus'
/** Killing an unknown task is no error (contract, tasks); it just does nothing. */
const KILLS = ['DELETE /v1/tasks/:task_id', 'POST /v1/tasks/:task_id/kill']

/** Deleting a webhook that is not there is no error (contract, webhooks). */
const WEBHOOK_DELETE = 'DELETE /v1/organizations/webhooks/:identifier'
/** It has no key, and says the same whatever is wrong. */
const SIGNED_EVENTS = 'POST /v1/buckets/:bucket_identifier/source-adapter/events'
const WEBHOOK = {
  webhook_name: 'x',
  event_types: ['object.created'],
  channels: [{ channel: 'webhook', configs: { url: 'https://1.1.1.1/' } }],
}

const UPLOAD = { filename: 'x.png', content_type: 'image/png' }

for (const dialect of DIALECTS) {
  let kura: TestApp
  /** `mine` and `sibling` are of one organization, `stranger` is of another. */
  let mine: Tenant
  let sibling: Tenant
  let stranger: Tenant

  before(async () => {
    kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    const key = await makeOrganization(kura.deps, 'strangers')
    mine = await makeTenant(kura, { name: 'mine', mark: 'zebra' })
    sibling = await makeTenant(kura, { name: 'sibling', mark: 'walrus' })
    stranger = await makeTenant(kura, { name: 'stranger', mark: 'ocelot', key })
    for (const tenant of [mine, stranger])
      accounts.set(tenant.namespace_name, await makeAccount(kura, tenant))
  })
  after(() => kura.close())

  const accounts = new Map<string, Account>()

  const as = (tenant: Tenant, method: Method, url: string, options: RequestOptions = {}) =>
    kura.request(method, url, { key: tenant.key, namespace: tenant.namespace_id, ...options })

  /** Fails when `work` changes any row of any table. */
  async function changesNothing(work: () => Promise<void>): Promise<void> {
    const contents = await tableContents(kura.deps.db)
    await work()
    assert.deepEqual(await tableContents(kura.deps.db), contents)
  }

  const routesWithIds = () =>
    kura.app.routeTable.routes.filter(({ method, url }) => method !== 'OPTIONS' && url.includes(':'))

  /** Every way to put ids of `foreign` in the place of one's own, at least one of them. */
  function foreignPaths(url: string, own: Tenant, foreign: Tenant): string[] {
    const names = [...url.matchAll(/:(\w+)/g)].map((match) => match[1]!)
    const isForeign = (choice: number, name: string) => (choice >> names.indexOf(name)) % 2 === 1
    return Array.from({ length: 2 ** names.length - 1 }, (_, i) =>
      url.replace(/:(\w+)/g, (_, name: string) => idOf(isForeign(i + 1, name) ? foreign : own, name)),
    )
  }

  function idOf(tenant: Tenant, parameter: string): string {
    const ids: Record<string, string> = {
      ...tenant,
      ...accounts.get(tenant.namespace_name),
      bucket_identifier: tenant.bucket_id,
      object_identifier: tenant.object_id,
      collection_identifier: tenant.collection_id,
      namespace_identifier: tenant.namespace_id,
      connection_identifier: tenant.connection_id,
      identifier: tenant.webhook_id,
      delivery_id: 'dlv_unknown',
      event_key: 'unknown',
      batch_id: tenant.draft_batch_id,
      tier_num: '0',
      extractor_id: 'text_extractor_v1',
      feature_extractor_id: 'text_extractor_v1',
    }
    const id = ids[parameter]
    return id ?? assert.fail(`This test does not know what :${parameter} stands for; tell it in idOf.`)
  }

  /** A body that its route would accept, so that nothing but the id can be wrong. */
  const bodyOf = (method: string, url: string, foreign: Tenant): unknown => {
    const object_ids = [foreign.object_id]
    const bodies: Record<string, unknown> = {
      'POST /v1/buckets/:bucket_identifier/objects/batch': { objects: [{ title: 'x' }] },
      'POST /v1/buckets/:bucket_identifier/batches': { object_ids },
      'POST /v1/buckets/:bucket_identifier/batches/:batch_id/objects': { object_ids },
      'PATCH /v1/namespaces/:namespace_identifier': { description: 'x' },
      'POST /v1/namespaces/:namespace_identifier/clone': { namespace_name: 'x' },
      'PATCH /v1/organizations/users/:user_email': { user_name: 'Xx' },
      'PUT /v1/organizations/webhooks/:identifier': WEBHOOK,
      'PATCH /v1/organizations/webhooks/:identifier': { is_active: true },
      'POST /v1/buckets/:bucket_id/syncs': { connection_id: foreign.connection_id, source_path: 'store/x' },
      'POST /v1/organizations/webhooks/:identifier/replay': { since: '2026-01-01' },
      'POST /v1/organizations/users/:user_email/api-keys': { name: 'x' },
      'PATCH /v1/organizations/users/:user_email/api-keys/:key_name': { description: 'x' },
      'PUT /v1/organizations/secrets/:secret_name': { secret_value: 'x' },
      'POST /v1/buckets/:bucket_identifier/objects/aggregate': {
        group_by: [{ field: 'year' }],
        aggregations: [{ function: 'count', alias: 'objects' }],
      },
      'POST /v1/buckets/:bucket_identifier/uploads': UPLOAD,
      'POST /v1/buckets/:bucket_identifier/uploads/batch': { uploads: [UPLOAD] },
      'POST /v1/buckets/:bucket_identifier/uploads/:upload_id/confirm': {},
      'POST /v1/buckets/:bucket_identifier/uploads/confirm/batch': {
        confirmations: [{ upload_id: foreign.upload_id }],
      },
    }
    return bodies[`${method} ${url}`] ?? { title: 'x', metadata: { a: 1 } }
  }

  function expectedStatus(method: string, url: string): number {
    const route = `${method} ${url}`
    if (route === WEBHOOK_DELETE) return 204
    if (route === SIGNED_EVENTS) return 401
    return url.startsWith('/v1/files/') ? 403 : KILLS.includes(route) ? 200 : 404
  }

  async function refusesEveryForeignId(
    own: Tenant,
    foreign: Tenant,
    options: RequestOptions,
    skip: string[],
  ) {
    let checked = 0
    for (const { method, url, schema } of routesWithIds()) {
      if (SHARED.includes(url) || url.includes(RESUMABLE) || skip.some((prefix) => url.startsWith(prefix)))
        continue
      const body = schema?.body ? bodyOf(method, url, foreign) : undefined
      const expected = expectedStatus(method, url)
      for (const path of foreignPaths(url, own, foreign)) {
        const answer = await as(own, method as Method, path, { body, ...options })
        assert.equal(answer.status, expected, `${method} ${path}: ${JSON.stringify(answer.body)}`)
        if (expected >= 400) assert.ok(!JSON.stringify(answer.body).includes('walrus'), path)
        checked++
      }
    }
    assert.ok(checked > 50, `only ${checked} requests were made`)
  }

  test(`ids of another namespace are not found on any route, and nothing changes (${dialect})`, async () => {
    // These belong to the organization, so both namespaces of one may see them.
    const skip = ['/v1/namespaces/', '/v1/tasks/', '/v1/organizations/']
    await changesNothing(() => refusesEveryForeignId(mine, sibling, {}, skip))
    await changesNothing(() => refusesEveryForeignId(mine, sibling, { namespace: mine.namespace_name }, skip))
  })

  test(`ids of another organization are not found on any route, whatever the header says (${dialect})`, async () => {
    for (const namespace of [stranger.namespace_id, mine.namespace_id, mine.namespace_name])
      await changesNothing(() => refusesEveryForeignId(stranger, mine, { namespace }, []))
    const headers = { 'x-namespace-id': mine.namespace_id }
    await changesNothing(() => refusesEveryForeignId(stranger, mine, { namespace: '', headers }, []))
  })

  test(`names of another namespace lead nowhere (${dialect})`, async () => {
    for (const foreign of [sibling, stranger]) {
      for (const [method, url] of [
        ['GET', `/v1/buckets/${foreign.bucket_name}`],
        ['DELETE', `/v1/buckets/${foreign.bucket_name}`],
        ['POST', `/v1/buckets/${foreign.bucket_name}/objects/list`],
        ['GET', `/v1/collections/${foreign.collection_name}`],
        ['DELETE', `/v1/collections/${foreign.collection_name}`],
        ['POST', `/v1/collections/${foreign.collection_name}/documents/list`],
        ['GET', `/v1/retrievers/${foreign.retriever_name}`],
        ['POST', `/v1/retrievers/${foreign.retriever_name}/execute`],
      ] as const) {
        const answer = await as(mine, method, url)
        assert.equal(answer.status, 404, `${method} ${url}`)
      }
    }
    const answer = await as(mine, 'GET', `/v1/namespaces/${stranger.namespace_name}`)
    assert.equal(answer.status, 404)
  })

  test(`equal names in two namespaces are two resources (${dialect})`, async () => {
    const [in_mine, in_sibling] = await Promise.all(
      [mine, sibling].map((tenant) =>
        as(tenant, 'POST', '/v1/buckets', {
          body: { bucket_name: 'shared', bucket_schema: { properties: {} } },
        }),
      ),
    )
    assert.equal(in_mine!.status, 200)
    assert.equal(in_sibling!.status, 200)
    const id = async (namespace: string) =>
      (await as(mine, 'GET', '/v1/buckets/shared', { namespace })).body.bucket_id
    assert.equal(await id(mine.namespace_id), in_mine!.body.bucket_id)
    assert.equal(await id('mine'), in_mine!.body.bucket_id)
    assert.equal(await id(sibling.namespace_id), in_sibling!.body.bucket_id)
    assert.equal(await id('sibling'), in_sibling!.body.bucket_id)
  })

  test(`a namespace of another organization cannot be named in header or body (${dialect})`, async () => {
    for (const identifier of [mine.namespace_id, mine.namespace_name]) {
      for (const options of [
        { namespace: identifier },
        { namespace: '', headers: { 'x-namespace-id': identifier } },
        { namespace: '', body: { namespace_id: identifier } },
        { namespace: '', body: { namespace: identifier } },
      ]) {
        const { status, body } = await as(stranger, 'POST', '/v1/buckets/list', options)
        assert.equal(status, 404, JSON.stringify(options))
        assert.equal(body.error.code, 'namespace_not_found')
      }
    }
  })

  test(`lists, counts and statistics hold nothing foreign (${dialect})`, async () => {
    const lists: [Method, string][] = [
      ['GET', '/v1/buckets'],
      ['POST', '/v1/buckets/list'],
      ['POST', `/v1/buckets/${mine.bucket_id}/objects/list`],
      ['POST', `/v1/buckets/${mine.bucket_id}/batches/list`],
      ['POST', `/v1/buckets/${mine.bucket_id}/uploads/list`],
      ['POST', `/v1/buckets/${mine.bucket_id}/syncs/list`],
      ['POST', '/v1/collections/list'],
      ['POST', `/v1/collections/${mine.collection_id}/documents/list`],
      ['POST', '/v1/retrievers/list'],
      ['GET', '/v1/tasks'],
      ['POST', '/v1/tasks/list'],
    ]
    const listed = kura.app.routeTable.routes.filter(
      // What belongs to the organization is shown to all of it.
      ({ url }) => url.endsWith('/list') && !url.startsWith('/v1/organizations/'),
    ).length
    assert.equal(listed, lists.length - 2 + 1, 'a new list belongs into this test')
    for (const [method, url] of lists) {
      const body = method === 'POST' ? { include_total: true } : undefined
      const text = JSON.stringify((await as(mine, method, url, { body })).body)
      for (const { namespace_id, bucket_id, collection_id, batch_id, task_id, sync_config_id } of [
        sibling,
        stranger,
      ])
        for (const id of [namespace_id, bucket_id, collection_id, batch_id, task_id, sync_config_id])
          assert.ok(!text.includes(id), `${url} shows ${id}`)
      assert.doesNotMatch(text, /walrus|ocelot/, url)
    }
    for (const search of ['walrus', 'ocelot', 'o'])
      for (const [method, url] of lists.filter(([method]) => method === 'POST')) {
        const text = JSON.stringify((await as(mine, method, url, { body: { search } })).body)
        assert.doesNotMatch(text, /walrus|ocelot/, url)
      }
    const namespaces = await as(stranger, 'POST', '/v1/namespaces/list', { body: {} })
    assert.deepEqual(
      namespaces.body.results.map((one: Tenant) => one.namespace_name),
      ['stranger'],
    )
    assert.equal(namespaces.body.stats.total_buckets, 1)
    const tasks = await as(stranger, 'POST', '/v1/tasks/list', { namespace: '' })
    assert.doesNotMatch(JSON.stringify(tasks.body), new RegExp(`${mine.batch_id}|${sibling.batch_id}`))
  })

  test(`filters cannot reach out of the namespace (${dialect})`, async () => {
    const lists = ['/v1/buckets/list', '/v1/collections/list', '/v1/retrievers/list']
    for (const field of ['namespace_id', '_internal.namespace_id', 'organization_id', 'bucket_id']) {
      for (const url of [...lists, `/v1/collections/${mine.collection_id}/documents/list`]) {
        for (const filters of [
          { [field]: sibling.namespace_id },
          {
            OR: [
              { field, operator: 'eq', value: sibling.namespace_id },
              { field, operator: 'ne', value: 'x' },
            ],
          },
          { NOT: [{ field, operator: 'eq', value: mine.namespace_id }] },
        ]) {
          const { status, body } = await as(mine, 'POST', url, { body: { filters } })
          assert.ok(status < 500, JSON.stringify(body))
          assert.doesNotMatch(JSON.stringify(body), /walrus|ocelot/)
        }
      }
    }
  })

  test(`a cursor shows nothing of where it came from (${dialect})`, async () => {
    for (const kind of ['buckets', 'collections', 'retrievers']) {
      await as(sibling, 'POST', '/v1/buckets', {
        body: { bucket_name: `walrus-${kind}`, bucket_schema: { properties: {} } },
      })
      const page = await as(sibling, 'POST', `/v1/${kind}/list`, { body: { limit: 1 } })
      const cursor = page.body.pagination.next_cursor ?? Buffer.from('[1,"walrus"]').toString('base64url')
      const { status, body } = await as(mine, 'POST', `/v1/${kind}/list`, { body: { cursor, limit: 10 } })
      assert.ok(status === 200 || status === 400, JSON.stringify(body))
      if (status === 200) assert.doesNotMatch(JSON.stringify(body), /walrus/)
    }
  })

  test(`a signed URL gives one file of one namespace and nothing else (${dialect})`, async () => {
    const path = (url: string) => url.replace(/^http:\/\/[^/]+/, '')
    const get = (url: string) => kura.request('GET', path(url), { key: null })
    assert.equal((await get(mine.file_url)).status, 200)
    const { namespace_id, file_id } = mine
    for (const url of [
      mine.file_url.replace(namespace_id, sibling.namespace_id),
      mine.file_url.replace(namespace_id, stranger.namespace_id),
      mine.file_url.replace(file_id, sibling.file_id),
      mine.file_url.replace(namespace_id, sibling.namespace_id).replace(file_id, sibling.file_id),
      mine.file_url.replace(/expires=\d+/, 'expires=9999999999'),
      mine.file_url.replace(/signature=(.)/, (_, first) => `signature=${first === '_' ? 'A' : '_'}`),
      mine.file_url.replace(/&signature=.*/, ''),
      mine.file_url.replace(/expires=\d+/, 'expires=NaN'),
    ]) {
      const { status, body } = await get(url)
      assert.equal(status, 403, url)
      assert.equal(body.error.code, 'signature_invalid')
    }
    // The id of another file in one's own namespace does not help, though the signature is good.
    const own = await kura.deps.files.signedUrl(
      { organizationId: kura.deps.bootstrap.organizationId, namespaceId: mine.namespace_id },
      sibling.file_id,
      { expires_in_seconds: 60, base_url: 'http://localhost' },
    )
    assert.equal((await get(own)).status, 404)
  })

  test(`the address of a foreign file gives nothing away, wherever it is put (${dialect})`, async () => {
    for (const { file_id } of [sibling, stranger]) {
      const address = `kura://files/${file_id}`
      const object = await as(mine, 'POST', `/v1/buckets/${mine.bucket_id}/objects`, {
        body: { title: 'thief', blobs: [{ property: 'picture', type: 'image', data: address }] },
      })
      assert.ok(object.status >= 400 && object.status < 500, JSON.stringify(object.body))
      const document = await as(mine, 'POST', `/v1/collections/${mine.collection_id}/documents`, {
        body: { title: 'thief', picture: address, document_blobs: [{ url: address }] },
      })
      if (document.status === 200) {
        const one = `/v1/collections/${mine.collection_id}/documents/${document.body.document_id}`
        const { body } = await as(mine, 'GET', `${one}?return_presigned_urls=true`)
        for (const [, url] of JSON.stringify(body).matchAll(/"http:\/\/[^/]+(\/v1\/files\/[^"]+)"/g))
          assert.ok((await kura.request('GET', url!, { key: null })).status >= 400, url)
        await as(mine, 'DELETE', one)
      }
      const found = await as(mine, 'POST', '/v1/retrievers/execute', {
        body: {
          collection_identifiers: [mine.collection_id],
          stages: [searchStage({ input_mode: 'content', value: address })],
        },
      })
      assert.ok(found.status >= 400 && found.status < 500, JSON.stringify(found.body))
    }
  })

  test(`no body can refer to a foreign resource (${dialect})`, async () => {
    for (const foreign of [sibling, stranger]) {
      const collection = (source: object, more: object = {}) => ({
        collection_name: 'thief',
        source,
        feature_extractor: { feature_extractor_name: 'passthrough_extractor', version: 'v1', ...more },
      })
      const adhoc = (collection_identifiers: string[], stage = searchStage('x')) => ({
        collection_identifiers,
        stages: [stage],
      })
      const stages = [searchStage('x', { collection_identifiers: [foreign.collection_id] })]
      const refused: [Method, string, unknown][] = [
        ['POST', '/v1/collections', collection({ type: 'bucket', bucket_ids: [foreign.bucket_id] })],
        [
          'POST',
          '/v1/collections',
          collection({ type: 'bucket', bucket_ids: [mine.bucket_id, foreign.bucket_id] }),
        ],
        ['POST', '/v1/collections', collection({ type: 'collection', collection_id: foreign.collection_id })],
        [
          'POST',
          '/v1/collections',
          collection({
            type: 'bucket',
            bucket_ids: [foreign.bucket_id],
            source_namespace_id: foreign.namespace_id,
          }),
        ],
        ['POST', `/v1/buckets/${mine.bucket_id}/batches`, { object_ids: [foreign.object_id] }],
        [
          'POST',
          `/v1/buckets/${mine.bucket_id}/batches`,
          { object_ids: [mine.object_id, foreign.object_id] },
        ],
        [
          'POST',
          `/v1/buckets/${mine.bucket_id}/batches/${mine.draft_batch_id}/objects`,
          { object_ids: [foreign.object_id] },
        ],
        ['POST', '/v1/retrievers', { retriever_name: 'thief', ...adhoc([foreign.collection_id]) }],
        ['POST', '/v1/retrievers', { retriever_name: 'thief', ...adhoc([foreign.collection_name]) }],
        [
          'POST',
          '/v1/retrievers',
          { retriever_name: 'thief', collection_identifiers: [mine.collection_id], stages },
        ],
        ['POST', '/v1/retrievers/execute', adhoc([foreign.collection_id])],
        ['POST', '/v1/retrievers/execute', adhoc([mine.collection_id, foreign.collection_id])],
        ['POST', '/v1/retrievers/execute', { collection_identifiers: [mine.collection_id], stages }],
        ['POST', '/v1/retrievers/execute', { stages }],
      ]
      await changesNothing(async () => {
        for (const [method, url, body] of refused) {
          const answer = await as(mine, method, url, { body })
          assert.ok(
            [400, 403, 404].includes(answer.status),
            `${url} ${JSON.stringify(body)}: ${answer.status} ${JSON.stringify(answer.body)}`,
          )
        }
      })
    }
  })

  test(`a reference to a foreign document is not found (${dialect})`, async () => {
    const execute = (reference: object) =>
      as(mine, 'POST', '/v1/retrievers/execute', {
        body: {
          collection_identifiers: [mine.collection_id],
          stages: [searchStage({ input_mode: 'document', document_ref: reference })],
        },
      })
    const own = await execute({ collection_id: mine.collection_id, document_id: mine.document_id })
    assert.equal(own.status, 200, JSON.stringify(own.body))
    for (const { collection_id, document_id } of [sibling, stranger]) {
      for (const reference of [
        { collection_id, document_id },
        { collection_id: mine.collection_id, document_id },
        { document_id },
      ]) {
        const { status, body } = await execute(reference)
        assert.equal(status, 404, JSON.stringify(body))
        assert.doesNotMatch(JSON.stringify(body), /walrus|ocelot/)
      }
    }
    const input = await as(mine, 'POST', '/v1/retrievers/execute', {
      body: {
        collection_identifiers: [mine.collection_id],
        input_schema: { like: { type: 'document_reference' } },
        stages: [searchStage('{{inputs.like}}')],
        inputs: { like: { collection_id: sibling.collection_id, document_id: sibling.document_id } },
      },
    })
    assert.equal(input.status, 404, JSON.stringify(input.body))
  })

  test(`a search without named collections stays in its namespace (${dialect})`, async () => {
    for (const query of ['walrus', 'ocelot', 'a text about']) {
      const { status, body } = await as(mine, 'POST', '/v1/retrievers/execute', {
        body: { stages: [searchStage(query)] },
      })
      assert.equal(status, 200, JSON.stringify(body))
      assert.ok(body.documents.length > 0)
      for (const document of body.documents) assert.equal(document.collection_id, mine.collection_id)
    }
  })

  test(`what another tenant kills or deletes by a foreign id lives on (${dialect})`, async () => {
    const { body } = await as(
      mine,
      'POST',
      `/v1/buckets/${mine.bucket_id}/batches/${mine.draft_batch_id}/submit`,
    )
    await changesNothing(async () => {
      for (const [method, url] of [
        ['DELETE', `/v1/tasks/${body.task_id}`],
        ['POST', `/v1/tasks/${body.task_id}/kill`],
      ] as const)
        assert.equal((await as(stranger, method, url)).status, 200)
    })
    assert.equal((await as(mine, 'GET', `/v1/tasks/${body.task_id}`)).body.status, 'PENDING')
    assert.equal((await as(stranger, 'GET', `/v1/tasks/${body.task_id}`)).status, 404)
  })
}

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { makeKey } from '../support/keys.ts'
import { makeOrganization, makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import { DIALECTS, type RequestOptions, type TestApp, testApp } from '../support/test-app.ts'

type Method = Parameters<TestApp['request']>[0]

for (const dialect of DIALECTS) {
  let kura: TestApp
  let mine: Tenant
  let other: Tenant

  before(async () => {
    kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    mine = await makeTenant(kura, { name: 'customer_1', mark: 'zebra' })
    other = await makeTenant(kura, { name: 'customer_2', mark: 'walrus' })
  })
  after(() => kura.close())

  /** A key with these scopes and every permission; returns what asks with it. */
  async function scoped(scopes: object[]) {
    const { key } = await makeKey(kura, { permissions: ['admin'], scopes })
    return async (method: Method, url: string, options: RequestOptions = {}) => {
      const answer = await kura.request(method, url, { key, ...options })
      return Object.assign(answer, { code: answer.body?.error?.code as string | undefined })
    }
  }

  const names = (body: { results: Record<string, string>[] }, member: string) =>
    body.results.map((one) => one[member])

  test(`no route answers a key whose scopes name nothing that exists (${dialect})`, async () => {
    const nothing = await scoped([{ resource_type: 'namespace', resource_id: 'ns_of_nobody' }])
    const ids = (parameter: string) =>
      ({ ...mine, user_email: 'admin@localhost' })[parameter.replace('_identifier', '_id')] ?? 'nothing'
    let checked = 0
    for (const { method, url, config } of kura.app.routeTable.routes) {
      if (config?.permission === undefined || method === 'OPTIONS') continue
      const path = url.replace(/:(\w+)/g, (_, name: string) => String(ids(name))).replace('*', 'x')
      for (const namespace of [mine.namespace_id, undefined]) {
        const { status, body } = await nothing(method as Method, path, {
          ...(namespace && { namespace }),
          ...(method !== 'GET' && method !== 'DELETE' && { body: {} }),
        })
        const isEmptyList = status === 200 && config.access?.lists && body.results.length === 0
        // A task that does not exist is not found, whoever asks.
        const isUnknown = url.includes(':task_id') && mine.task_id === undefined
        const isRefused = status === 403 || (status === 400 && body.error.code === 'namespace_required')
        assert.ok(
          isEmptyList || isUnknown || isRefused,
          `${method} ${path} ${namespace}: ${status} ${JSON.stringify(body).slice(0, 300)}`,
        )
      }
      checked++
    }
    assert.ok(checked > 60)
  })

  test(`a namespace scope opens all inside by id, name or pattern, and nothing else (${dialect})`, async () => {
    for (const resource_id of [mine.namespace_id, 'customer_1', '*_1']) {
      const ask = await scoped([{ resource_type: 'namespace', resource_id }])
      const inside = await ask('GET', `/v1/buckets/${mine.bucket_id}`, { namespace: 'customer_1' })
      assert.equal(inside.status, 200, JSON.stringify(inside.body))
      assert.equal(
        (await ask('POST', '/v1/buckets/list', { namespace: mine.namespace_id })).body.total_count,
        1,
      )
      assert.equal(
        (await ask('GET', `/v1/buckets/${mine.bucket_id}`)).status,
        200,
        'the only namespace it sees',
      )
      for (const namespace of [other.namespace_id, 'customer_2', 'default'])
        assert.equal((await ask('GET', '/v1/buckets', { namespace })).code, 'scope_denied', namespace)
      assert.equal((await ask('GET', `/v1/buckets/${other.bucket_id}`)).code, 'scope_denied')
      const { body } = await ask('POST', '/v1/namespaces/list', { body: {} })
      assert.deepEqual(
        [names(body, 'namespace_name'), body.total_count, body.stats.total_buckets],
        [['customer_1'], 1, 1],
      )
      assert.equal((await ask('GET', '/v1/namespaces/customer_1')).status, 200)
      assert.equal((await ask('GET', '/v1/namespaces/customer_2')).code, 'scope_denied')
      assert.equal((await ask('GET', `/v1/tasks/${mine.task_id}`)).status, 200)
      assert.equal((await ask('GET', `/v1/tasks/${other.task_id}`)).code, 'scope_denied')
      assert.equal((await ask('DELETE', `/v1/tasks/${other.task_id}`)).code, 'scope_denied')
      const tasks = await ask('POST', '/v1/tasks/list', { body: {} })
      assert.ok(tasks.body.results.length > 0)
      assert.ok(!JSON.stringify(tasks.body).includes(other.namespace_id))
      assert.equal((await ask('GET', '/v1/organizations/users')).code, 'scope_denied')
      assert.equal((await ask('GET', '/v1/organizations/usage')).code, 'scope_denied')
    }
  })

  test(`a body cannot lead out of the namespace that was checked (${dialect})`, async () => {
    const ask = await scoped([{ resource_type: 'namespace', resource_id: 'customer_1' }])
    for (const body of [{ namespace_id: other.namespace_id }, { namespace: 'customer_2' }])
      assert.equal((await ask('POST', '/v1/buckets/list', { body })).code, 'scope_denied')
    const both = await ask('POST', '/v1/buckets/list', {
      namespace: 'customer_1',
      body: { namespace_id: other.namespace_id },
    })
    assert.ok(!JSON.stringify(both.body).includes('walrus'))
    for (const filters of [
      { namespace_name: 'customer_2' },
      { OR: [{ namespace_id: other.namespace_id }, { field: 'x', operator: 'ne', value: 1 }] },
      { NOT: [{ namespace_name: 'customer_1' }] },
    ])
      assert.deepEqual(
        names(
          (await ask('POST', '/v1/namespaces/list', { body: { filters } })).body,
          'namespace_name',
        ).filter((name) => name !== 'customer_1'),
        [],
      )
  })

  test(`a bucket scope opens the bucket and what is in it, and its tasks (${dialect})`, async () => {
    const ask = await scoped([{ resource_type: 'bucket', resource_id: mine.bucket_id }])
    const namespace = mine.namespace_id
    const extra = await kura.request('POST', '/v1/buckets', {
      namespace,
      body: { bucket_name: `extra ${Math.random()}`, bucket_schema: { properties: {} } },
    })
    const foreign = extra.body.bucket_id
    for (const url of [
      `/v1/buckets/${mine.bucket_id}`,
      `/v1/buckets/${mine.bucket_name}`,
      `/v1/buckets/${mine.bucket_id}/objects/${mine.object_id}`,
      `/v1/batches/${mine.batch_id}`,
    ])
      assert.equal((await ask('GET', url, { namespace })).status, 200, url)
    assert.equal((await ask('GET', `/v1/tasks/${mine.task_id}`)).status, 200)
    for (const [method, url] of [
      ['GET', `/v1/buckets/${foreign}`],
      ['POST', `/v1/buckets/${foreign}/objects`],
      ['DELETE', `/v1/buckets/${foreign}`],
      ['POST', '/v1/buckets'],
      ['POST', '/v1/collections'],
      ['GET', `/v1/collections/${mine.collection_id}`],
      ['POST', `/v1/collections/${mine.collection_id}/documents/list`],
      ['POST', '/v1/retrievers/execute'],
      ['POST', `/v1/retrievers/${mine.retriever_id}/execute`],
      ['GET', `/v1/namespaces/${namespace}`],
      ['POST', '/v1/namespaces'],
    ] as const)
      assert.equal(
        (await ask(method, url, { namespace, ...(method === 'POST' && { body: {} }) })).code,
        'scope_denied',
        url,
      )
    const listed = await ask('POST', '/v1/buckets/list', { namespace })
    assert.deepEqual([names(listed.body, 'bucket_id'), listed.body.total_count], [[mine.bucket_id], 1])
    assert.deepEqual(names((await ask('GET', '/v1/buckets', { namespace })).body, 'bucket_id'), [
      mine.bucket_id,
    ])
    const all = await kura.request('POST', '/v1/buckets/list', { namespace })
    assert.ok(all.body.total_count > 1, 'what was remembered for one key is not shown to another')
    const filters = { OR: [{ bucket_id: foreign }, { bucket_id: mine.bucket_id }] }
    assert.deepEqual(
      names((await ask('POST', '/v1/buckets/list', { namespace, body: { filters } })).body, 'bucket_id'),
      [mine.bucket_id],
    )
    assert.deepEqual((await ask('POST', '/v1/collections/list', { namespace })).body.results, [])
  })

  test(`operations narrow a scope (${dialect})`, async () => {
    const namespace = mine.namespace_id
    const with_ = (operations: string[]) =>
      scoped([{ resource_type: 'namespace', resource_id: namespace, operations }])
    const objects = `/v1/buckets/${mine.bucket_id}/objects`
    const asks: [string, Method, string, unknown?][] = [
      ['read_data', 'GET', `/v1/buckets/${mine.bucket_id}`],
      ['read_data', 'POST', `${objects}/list`, {}],
      ['write_data', 'POST', objects, { title: 'x' }],
      ['delete_data', 'DELETE', `${objects}/obj_unknown`],
      ['modify_infrastructure', 'PATCH', `/v1/buckets/${mine.bucket_id}`, { description: 'x' }],
      ['modify_infrastructure', 'PATCH', `/v1/collections/${mine.collection_id}`, { description: 'x' }],
      ['execute_job', 'POST', `/v1/buckets/${mine.bucket_id}/batches/btch_unknown/submit`],
      ['cancel_job', 'POST', `/v1/buckets/${mine.bucket_id}/batches/btch_unknown/cancel`],
      [
        'execute_retriever',
        'POST',
        `/v1/retrievers/${mine.retriever_id}/execute`,
        { inputs: { query: 'x' } },
      ],
      ['execute_retriever', 'POST', '/v1/retrievers/execute', { stages: [searchStage('x')] }],
      ['create_retriever', 'POST', '/v1/retrievers', { retriever_name: '' }],
      ['delete_retriever', 'DELETE', '/v1/retrievers/ret_unknown'],
    ]
    for (const operation of new Set(asks.map(([one]) => one))) {
      const ask = await with_([operation])
      for (const [needed, method, url, body] of asks) {
        const answer = await ask(method, url, { namespace, body })
        assert.equal(
          answer.code === 'scope_denied',
          needed !== operation,
          `${operation}: ${method} ${url} ${answer.status}`,
        )
      }
    }
  })

  test(`a collection or retriever scope opens just that (${dialect})`, async () => {
    const namespace = mine.namespace_id
    const ask = await scoped([
      { resource_type: 'collection', resource_id: 'collection-*', operations: ['read_data'] },
      { resource_type: 'retriever', resource_id: mine.retriever_name },
    ])
    const documents = `/v1/collections/${mine.collection_name}/documents`
    assert.equal((await ask('POST', `${documents}/list`, { namespace, body: {} })).status, 200)
    assert.equal((await ask('POST', documents, { namespace, body: { title: 'x' } })).code, 'scope_denied')
    const run = await ask('POST', `/v1/retrievers/${mine.retriever_id}/execute`, {
      namespace,
      body: { inputs: { query: 'zebra' } },
    })
    assert.equal(run.status, 200, JSON.stringify(run.body))
    assert.deepEqual(names((await ask('POST', '/v1/retrievers/list', { namespace })).body, 'retriever_id'), [
      mine.retriever_id,
    ])
    assert.deepEqual(
      names((await ask('POST', '/v1/collections/list', { namespace })).body, 'collection_id'),
      [mine.collection_id],
    )
    assert.deepEqual((await ask('POST', '/v1/buckets/list', { namespace })).body.results, [])
  })

  test(`a key makes only namespaces that its scopes will let it use (${dialect})`, async () => {
    const ask = await scoped([{ resource_type: 'namespace', resource_id: 'shop_*' }])
    const create = (body: object) =>
      ask('POST', '/v1/namespaces', {
        body: { feature_extractors: [{ feature_extractor_name: 'text_extractor', version: 'v1' }], ...body },
      })
    assert.equal((await create({ namespace_name: 'shop_1' })).status, 200)
    assert.equal((await create({ name: ' shop_2 ' })).status, 200)
    for (const body of [
      { namespace_name: 'foreign' },
      {},
      { name: 'shop_3', namespace_name: 'foreign' },
      { namespace_name: ['shop_3'] },
    ])
      assert.equal((await create(body)).code, 'scope_denied', JSON.stringify(body))
    const cloned = await ask('POST', '/v1/namespaces/customer_2/clone', {
      body: { namespace_name: 'shop_4' },
    })
    assert.equal(cloned.code, 'scope_denied', 'the source is foreign')
  })

  test(`a key with scopes can only make keys with the same or narrower ones (${dialect})`, async () => {
    const organization_id = kura.deps.bootstrap.organizationId
    const ask = await scoped([
      {
        resource_type: 'organization',
        resource_id: organization_id,
        operations: ['manage_permissions', 'read_data'],
      },
    ])
    const create = (name: string, scopes?: object[]) =>
      ask('POST', '/v1/organizations/users/admin@localhost/api-keys', {
        body: { name, ...(scopes && { scopes }) },
      })
    assert.equal((await create('wide')).code, 'scope_denied')
    assert.equal(
      (await create('wide', [{ resource_type: 'organization', resource_id: '*' }])).code,
      'scope_denied',
    )
    const narrow = { resource_type: 'bucket', resource_id: 'x', operations: ['read_data'] }
    assert.equal((await create('narrow', [narrow])).status, 200)
    assert.equal(
      (await create('wider', [{ ...narrow, operations: ['read_data', 'write_data'] }])).code,
      'scope_denied',
    )
    const { key_id } = await makeKey(kura, { permissions: ['read'] })
    const keys = '/v1/organizations/users/admin@localhost/api-keys'
    assert.equal(
      (await ask('POST', `${keys}/${key_id}/rotate`)).code,
      'scope_denied',
      'rotating gives the secret away',
    )
    const raised = await ask('PATCH', `${keys}/${key_id}`, { body: { permissions: ['admin'] } })
    assert.equal(raised.code, 'scope_denied', 'the key reaches more than its maker')
    const within = await makeKey(kura, { permissions: ['read'], scopes: [narrow] })
    const body = { permissions: ['write'] }
    assert.equal((await ask('PATCH', `${keys}/${within.key_id}`, { body })).status, 200)
  })

  test(`scopes hold inside one organization only (${dialect})`, async () => {
    const stranger = await makeOrganization(kura.deps, `strangers_${dialect}`)
    const ask = await scoped([{ resource_type: 'organization', resource_id: '*' }])
    assert.equal((await ask('GET', '/v1/namespaces/customer_1')).status, 200)
    const foreign = await kura.request('GET', '/v1/namespaces/customer_1', { key: stranger })
    assert.equal(foreign.status, 404)
  })

  test(`scopes that say nothing clear are refused (${dialect})`, async () => {
    for (const scopes of [
      [{ resource_type: 'galaxy', resource_id: 'x' }],
      [{ resource_type: 'bucket', resource_id: '' }],
      [{ resource_type: 'bucket', resource_id: 'x'.repeat(101) }],
      [{ resource_type: 'bucket', resource_id: 'x', operations: ['fly'] }],
      [{ resource_type: 'bucket', resource_id: '*a'.repeat(9) }],
      Array.from({ length: 51 }, () => ({ resource_type: 'bucket', resource_id: 'x' })),
      'all',
    ]) {
      const body = { name: 'x', scopes }
      const answer = await kura.request('POST', '/v1/organizations/users/admin@localhost/api-keys', { body })
      assert.equal(answer.status, 422, JSON.stringify(scopes).slice(0, 100))
    }
  })
}

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { builtinExtractors } from '../../src/extractors/builtin.ts'
import { openSecretBox } from '../../src/platform/secrets/open-secret-box.ts'
import { Vault } from '../../src/platform/secrets/vault.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { makeKey } from '../support/keys.ts'
import { tableContents } from '../support/table-contents.ts'
import { makeTenant, searchStage, type Tenant } from '../support/tenant.ts'
import { DIALECTS, type TestApp, testApp } from '../support/test-app.ts'
import { testDb } from '../support/test-db.ts'

const SECRETS = '/v1/organizations/secrets'
const VALUE = 'hunter2-{{not-a-template}}-$&-ü'

for (const dialect of DIALECTS) {
  let kura: TestApp
  before(async () => {
    kura = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
  })
  after(() => kura.close())

  const put = (secret_name: string, secret_value = VALUE) =>
    kura.request('POST', SECRETS, { body: { secret_name, secret_value } })
  const vault = () => new Vault({ db: kura.deps.db, box: kura.deps.secrets })
  const organization = () => ({ organizationId: kura.deps.bootstrap.organizationId })

  test(`secrets are made once, replaced, listed by name and deleted (${dialect})`, async () => {
    const created = await put('b.two')
    assert.deepEqual([created.status, created.body], [201, { secret_name: 'b.two', created: true }])
    await put('A-1')
    const again = await put('b.two', 'x')
    assert.deepEqual([again.status, again.body.error.code], [409, 'secret_name_taken'])
    assert.deepEqual((await kura.request('GET', SECRETS)).body, { secrets: ['A-1', 'b.two'], count: 2 })
    const replaced = await kura.request('PUT', `${SECRETS}/b.two`, { body: { secret_value: 'new' } })
    assert.deepEqual(replaced.body, { secret_name: 'b.two', updated: true })
    assert.equal(await vault().get(organization(), 'b.two'), 'new')
    assert.equal(await vault().get(organization(), 'A-1'), VALUE)
    const deleted = await kura.request('DELETE', `${SECRETS}/b.two`)
    assert.deepEqual(deleted.body, { secret_name: 'b.two', deleted: true })
    for (const method of ['PUT', 'DELETE'] as const) {
      const { status } = await kura.request(method, `${SECRETS}/b.two`, {
        ...(method === 'PUT' && { body: { secret_value: 'x' } }),
      })
      assert.equal(status, 404)
    }
    await assert.rejects(vault().get(organization(), 'b.two'), { code: 'secret_not_found' })
  })

  test(`names that could not be referred to are refused (${dialect})`, async () => {
    for (const name of ['', 'a b', 'a/b', 'ä', '../x', 'a}}', 'x'.repeat(101), 'a\n'])
      assert.equal((await put(name)).status, 422, JSON.stringify(name))
    assert.equal((await put('x', '')).status, 422)
  })

  test(`readers see names, administrators write, and nobody reads a value (${dialect})`, async () => {
    await put('readers', 'the-value-itself')
    const { key } = await makeKey(kura, { permissions: ['delete'] })
    assert.ok((await kura.request('GET', SECRETS, { key })).body.secrets.includes('readers'))
    for (const [method, url] of [
      ['POST', SECRETS],
      ['PUT', `${SECRETS}/readers`],
      ['DELETE', `${SECRETS}/readers`],
    ] as const)
      assert.equal(
        (await kura.request(method, url, { key, ...(method !== 'DELETE' && { body: {} }) })).status,
        403,
      )
    await kura.request('PUT', `${SECRETS}/readers`, { body: { secret_value: 'the-value-itself-2' } })
    for (const table of ['secrets', 'audit_events', 'outbox_events'] as const)
      assert.ok(
        !JSON.stringify(await kura.deps.db.selectFrom(table).selectAll().execute()).includes(
          'the-value-itself',
        ),
        table,
      )
    const logs = await kura.request('GET', '/v1/organizations/audit/logs?resource_id=readers')
    assert.deepEqual(
      logs.body.results
        .map(({ action, status }: Record<string, string>) => `${action} ${status}`)
        .slice(0, 2),
      ['secret_updated success', 'secret_created success'],
    )
  })

  test(`references are filled when they are used, and an unknown one is an error (${dialect})`, async () => {
    await put('token', 'T')
    const filled = await vault().fill(organization(), {
      auth: { secret_ref: 'token' },
      url: 'x?k={{secrets.token}}',
      n: 1,
    })
    assert.deepEqual(filled, { auth: { secret_ref: 'T' }, url: 'x?k=T', n: 1 })
    await assert.rejects(vault().fill(organization(), '{{secrets.nobody}}'), { code: 'secret_not_found' })
    await assert.rejects(vault().fill({ organizationId: 'org_other' }, '{{secrets.token}}'), {
      code: 'secret_not_found',
    })
  })

  test(`a secret in a search is refused, not rendered into results or errors (${dialect})`, async () => {
    await put('leak', 'LEAKED')
    const tenant: Tenant = await makeTenant(kura, { name: 'leaks', mark: 'zebra' })
    for (const query of [
      '{{secrets.leak}}',
      'a {{ SECRET.leak }} b',
      '{{secrets.leak ~ inputs.x}}{{secrets.leak}}',
    ]) {
      const { status, body } = await kura.request('POST', '/v1/retrievers/execute', {
        namespace: tenant.namespace_id,
        body: { stages: [searchStage(query)] },
      })
      assert.equal(status, 400, JSON.stringify(body))
      assert.equal(body.error.code, 'secret_not_allowed')
      assert.ok(!JSON.stringify(body).includes('LEAKED'))
    }
  })

  test(`keys in parameters of an extractor are never shown: references as they are, literals masked (${dialect})`, async () => {
    const namespace = 'leaks'
    const { body: bucket } = await kura.request('POST', '/v1/buckets', {
      namespace,
      body: { bucket_name: 'keys', bucket_schema: { properties: { body: { type: 'text' } } } },
    })
    for (const [llm_api_key, shown] of [
      ['sk-literal-key', '********'],
      ['{{secrets.leak}}', '{{secrets.leak}}'],
    ]) {
      const { body } = await kura.request('POST', '/v1/collections', {
        namespace,
        body: {
          collection_name: `keys ${shown}`,
          source: { type: 'bucket', bucket_ids: [bucket.bucket_id] },
          feature_extractor: {
            feature_extractor_name: 'text_extractor',
            version: 'v1',
            input_mappings: { text: 'body' },
            parameters: { llm_api_key },
          },
        },
      })
      assert.equal(body.feature_extractor.parameters.llm_api_key, shown, JSON.stringify(body))
      const logs = await kura.request('GET', '/v1/organizations/audit/logs')
      assert.ok(!/sk-literal-key|LEAKED/.test(JSON.stringify([body, logs.body])))
    }
  })

  test(`a batch opens the secrets of its extractor when it runs, and writes them nowhere (${dialect})`, async (t) => {
    const namespace = 'default'
    const secret_value = 'opened-only-while-it-runs'
    const ok = async (url: string, body?: unknown) => {
      const answer = await kura.request('POST', url, { namespace, body })
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      return answer.body
    }
    const { bucket_id } = await ok('/v1/buckets', {
      bucket_name: 'opened',
      bucket_schema: { properties: { body: { type: 'text' } } },
    })
    const { collection_id } = await ok('/v1/collections', {
      collection_name: 'opened',
      source: { type: 'bucket', bucket_ids: [bucket_id] },
      feature_extractor: {
        feature_extractor_name: 'text_extractor',
        version: 'v1',
        input_mappings: { text: 'body' },
        parameters: { llm_api_key: '{{secrets.opened}}' },
      },
    })
    const { object_id } = await ok(`/v1/buckets/${bucket_id}/objects`, { body: 'A text.' })
    const run = async () => {
      const { batch_id } = await ok(`/v1/buckets/${bucket_id}/batches`, { object_ids: [object_id] })
      await ok(`/v1/buckets/${bucket_id}/batches/${batch_id}/submit`)
      await drainQueue(kura.deps)
      return `/v1/buckets/${bucket_id}/batches/${batch_id}`
    }
    const get = async (url: string) => (await kura.request('GET', url, { namespace })).body
    const without = await run()
    assert.equal((await get(without)).status, 'FAILED')
    const failed = await get(`${without}/failed-documents`)
    assert.match(JSON.stringify(failed.results[0].error), /opened/, 'it says which secret is missing')

    assert.equal((await put('opened', secret_value)).status, 201)
    const extractor = builtinExtractors.find('text_extractor', 'v1')!
    const keys: unknown[] = []
    const { extract } = extractor
    t.mock.method(extractor, 'extract', (context: Parameters<typeof extract>[0]) => {
      keys.push((context.parameters as { llm_api_key?: unknown }).llm_api_key)
      return extract.call(extractor, context)
    })
    const done = await run()
    assert.equal((await get(done)).status, 'COMPLETED')
    assert.deepEqual(keys, [secret_value])
    const list = await ok(`/v1/collections/${collection_id}/documents/list`, {})
    assert.equal(list.results.length, 1)
    const shown = [list, await get(done), await get(`${done}/logs`), failed]
    assert.ok(!JSON.stringify(shown).includes(secret_value))
    assert.ok(!JSON.stringify(await tableContents(kura.deps.db)).includes(secret_value))
  })

  test(`a server without the right master key does not start (${dialect})`, async (t) => {
    const { db, close } = await testDb(dialect)
    const home = await mkdtemp(join(tmpdir(), 'kura-master-'))
    const empty = await mkdtemp(join(tmpdir(), 'kura-master-'))
    t.after(async () => {
      await close()
      for (const one of [home, empty]) await rm(one, { recursive: true, force: true })
    })
    const sealed = (await openSecretBox(db, { home })).seal('x', 'context')
    assert.equal(
      (await openSecretBox(db, { home })).open(sealed, 'context'),
      'x',
      'the key is kept in the home',
    )
    const kept = (await readFile(join(home, 'master-key'), 'utf8')).trim()
    assert.equal((await openSecretBox(db, { home: empty, master_key: kept })).open(sealed, 'context'), 'x')
    await assert.rejects(openSecretBox(db, { home: empty }), { code: 'config_invalid' })
    await assert.rejects(openSecretBox(db, { home, master_key: 'another key of sixteen' }), {
      code: 'config_invalid',
    })
    await writeFile(join(home, 'master-key'), 'a key that somebody changed\n')
    await assert.rejects(openSecretBox(db, { home }), { code: 'config_invalid' })
  })
}

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { S3_SERVER_MISSING, startS3Server } from '../support/s3-server.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

const PATH = '/v1/organizations/connections'
const MASK = '*'.repeat(40)

for (const dialect of DIALECTS) {
  const start = async (t: TestContext) => {
    const root = await mkdtemp(join(tmpdir(), 'kura-source-'))
    const server = await testApp(dialect, { KURA_LOCAL_SOURCE_ROOTS: root })
    t.after(async () => {
      await server.close()
      await rm(root, { recursive: true, force: true })
    })
    return { ...server, root }
  }
  const s3 = (over: object = {}) => ({
    name: 's3',
    provider_type: 's3',
    provider_config: {
      credentials: {
        access_key_id: 'AKIAIOSFODNN7EXAMPLE',
        secret_access_key: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
      },
      region: 'us-east-1',
    },
    test_before_save: false,
    ...over,
  })

  test(`secrets are masked, kept when the mask comes back, and sealed in the database (${dialect})`, async (t) => {
    const { request, deps } = await start(t)
    const { status, body } = await request('POST', PATH, { body: s3() })
    assert.equal(status, 200)
    assert.match(body.connection_id, /^conn_[a-z0-9]{15}$/)
    assert.match(body.internal_id, /^int_/)
    assert.equal(body.status, 'ACTIVE')
    assert.equal(body.is_active, true)
    assert.equal(body.provider_config.credentials.secret_access_key, MASK)
    const row = await deps.db.selectFrom('connections').selectAll().executeTakeFirstOrThrow()
    assert.ok(!JSON.stringify(row).includes('wJalrXUtnFEMI'))
    const sealed = row.sealed_secrets
    const provider_config = { ...body.provider_config, endpoint_url: 'http://127.0.0.1:1' }
    const patched = await request('PATCH', `${PATH}/${body.connection_id}`, { body: { provider_config } })
    assert.equal(patched.status, 400, 'a new configuration is tested')
    assert.equal(patched.body.error.code, 'connection_test_failed')
    const after = await deps.db.selectFrom('connections').selectAll().executeTakeFirstOrThrow()
    assert.equal(after.sealed_secrets, sealed)
    const audit = await deps.db.selectFrom('audit_events').select(['action', 'changes']).execute()
    assert.ok(audit.some(({ action }) => action === 'storage_connection_created'))
    assert.ok(!JSON.stringify(audit).includes('wJalrXUtnFEMI'))
  })

  test(`names are unique until archived; archive is final and hides (${dialect})`, async (t) => {
    const { request } = await start(t)
    const first = await request('POST', PATH, { body: s3() })
    const again = await request('POST', PATH, { body: s3() })
    assert.equal(again.status, 409)
    assert.equal(again.body.error.code, 'connection_name_taken')
    await request('PATCH', `${PATH}/s3`, { body: { description: 'a store' } })
    const cleared = await request('PATCH', `${PATH}/s3`, { body: { description: null } })
    assert.deepEqual([cleared.status, cleared.body.description], [200, undefined])
    const gone = await request('DELETE', `${PATH}/s3`)
    assert.deepEqual(
      [gone.status, gone.body.status, gone.body.connection_id],
      [200, 'ARCHIVED', first.body.connection_id],
    )
    assert.equal((await request('POST', `${PATH}/list`, { body: {} })).body.total, 0)
    assert.equal((await request('POST', `${PATH}/list`, { body: { status: 'ARCHIVED' } })).body.total, 1)
    const revive = await request('PATCH', `${PATH}/${first.body.connection_id}`, {
      body: { status: 'ACTIVE' },
    })
    assert.equal(revive.body.error.code, 'connection_archived')
    assert.equal((await request('POST', PATH, { body: s3() })).status, 200)
  })

  test(`unknown providers are 422, those this server lacks 400, wrong shapes name the member (${dialect})`, async (t) => {
    const { request } = await start(t)
    assert.equal((await request('POST', PATH, { body: s3({ provider_type: 'azure' }) })).status, 422)
    const lacking = await request('POST', PATH, { body: s3({ provider_type: 'tiktok' }) })
    assert.deepEqual([lacking.status, lacking.body.error.code], [400, 'provider_not_available'])
    const shape = await request('POST', PATH, { body: s3({ provider_config: { region: 'x' } }) })
    assert.deepEqual(shape.body.detail[0].loc, ['body', 'provider_config', 'credentials'])
  })

  test(`private and metadata addresses are refused before anything is saved (${dialect})`, async (t) => {
    const { request } = await start(t)
    for (const endpoint_url of [
      'http://127.0.0.1:9000',
      'http://169.254.169.254/',
      'http://[::1]:9',
      'http://2130706433',
      'http://localhost:9000',
    ]) {
      const config = { ...s3().provider_config, endpoint_url }
      const { status, body } = await request('POST', PATH, {
        body: s3({ provider_config: config, test_before_save: true }),
      })
      assert.deepEqual([status, body.error.code], [400, 'connection_test_failed'], endpoint_url)
      assert.match(body.error.message, /private|special/, endpoint_url)
    }
    assert.equal((await request('POST', `${PATH}/list`, { body: {} })).body.total, 0)
  })

  test(`local folders stay below a listed root: no links, no way up, no other folder (${dialect})`, async (t) => {
    const { request, root } = await start(t)
    await mkdir(join(root, 'media', 'deep'), { recursive: true })
    await writeFile(join(root, 'media', 'a.txt'), 'a')
    await symlink('/etc', join(root, 'media', 'etc'))
    await symlink('/etc/hostname', join(root, 'media', 'hostname'))
    const local = (folder: string, name: string) => ({
      name,
      provider_type: 'local',
      provider_config: { root: folder },
    })
    const outside = await request('POST', PATH, { body: local('/etc', 'outside') })
    assert.equal(outside.body.error.code, 'connection_test_failed')
    assert.equal(
      (await request('POST', PATH, { body: local(join(root, 'media', 'etc'), 'link') })).status,
      400,
    )
    assert.equal((await request('POST', PATH, { body: local(`${root}/media/../..`, 'up') })).status, 400)
    const { body } = await request('POST', PATH, { body: local(join(root, 'media'), 'media') })
    assert.equal(body.provider_type, 'local')
    const folders = await request('GET', `${PATH}/media/folders`)
    assert.deepEqual(
      folders.body.results.map(({ name }: { name: string }) => name),
      ['deep'],
    )
    const files = await request('GET', `${PATH}/media/files`)
    assert.deepEqual(
      files.body.results.map(({ name }: { name: string }) => name),
      ['a.txt'],
    )
    assert.equal((await request('GET', `${PATH}/media/files?path=etc`)).status, 400)
    assert.equal((await request('GET', `${PATH}/media/files?path=../..`)).status, 400)
    assert.equal((await request('GET', `${PATH}/media/files?max_results=101`)).status, 422)
  })

  test(`test always answers 200; five failures end a connection and a success revives it (${dialect})`, async (t) => {
    const { request, root } = await start(t)
    const folder = join(root, 'comes-and-goes')
    const body = {
      name: 'local',
      provider_type: 'local',
      provider_config: { root: folder },
      test_before_save: false,
    }
    await request('POST', PATH, { body })
    for (let i = 1; i <= 5; i++) {
      const tested = await request('POST', `${PATH}/local/test`)
      assert.deepEqual([tested.status, tested.body.success], [200, false])
    }
    const failed = await request('GET', `${PATH}/local`)
    assert.deepEqual(
      [failed.body.status, failed.body.is_active, failed.body.consecutive_failures],
      ['FAILED', false, 5],
    )
    await mkdir(folder)
    assert.equal((await request('POST', `${PATH}/local/test`)).body.success, true)
    assert.equal((await request('GET', `${PATH}/local`)).body.status, 'ACTIVE')
  })
}

test('wrong credentials fail the test in words of our own; right ones browse', {
  skip: S3_SERVER_MISSING,
}, async (t) => {
  const store = await startS3Server()
  t.after(() => store.stop())
  const { request, close } = await testApp('sqlite', { KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' })
  t.after(close)
  await store.createBucket('media')
  const { PutObjectCommand } = await import('@aws-sdk/client-s3')
  await store.client.send(new PutObjectCommand({ Bucket: 'media', Key: 'a b/c+d é.txt', Body: 'x' }))
  const config = (secret_access_key: string) => ({
    credentials: { access_key_id: store.access_key_id, secret_access_key },
    region: store.region,
    endpoint_url: store.endpoint,
  })
  const body = { name: 's3', provider_type: 's3', provider_config: config('wrong-secret') }
  const wrong = await request('POST', PATH, { body })
  assert.match(wrong.body.error.message, /refuses the credentials/)
  const made = await request('POST', PATH, {
    body: { ...body, provider_config: config(store.secret_access_key) },
  })
  assert.equal(made.status, 200)
  assert.deepEqual(
    (await request('GET', `${PATH}/s3/folders`)).body.results.map(({ id }: { id: string }) => id),
    ['media'],
  )
  assert.deepEqual(
    (await request('GET', `${PATH}/s3/folders?path=media`)).body.results.map(({ id }: { id: string }) => id),
    ['media/a b'],
  )
  const files = await request('GET', `${PATH}/s3/files?path=media/a%20b`)
  assert.deepEqual(
    files.body.results.map(({ name }: { name: string }) => name),
    ['c+d é.txt'],
  )

  const bucket_schema = { properties: { content: { type: 'text' } } }
  const { body: bucket } = await request('POST', '/v1/buckets', { body: { bucket_name: 'b', bucket_schema } })
  const blob = (data: string) => ({ blobs: [{ property: 'content', data, canonicalize_source: true }] })
  const objects = `/v1/buckets/${bucket.bucket_id}/objects`
  const plain = await request('POST', objects, { body: blob('s3://media/none.txt') })
  assert.deepEqual([plain.status, plain.body.error.code], [400, 'url_not_usable'])
  await store.client.send(new PutObjectCommand({ Bucket: 'media', Key: 'plain.txt', Body: 'plain text' }))
  const taken = await request('POST', objects, { body: blob('s3://media/plain.txt') })
  assert.equal(taken.status, 200, JSON.stringify(taken.body))
  assert.equal(taken.body.blobs[0].details.size_bytes, 10)
})

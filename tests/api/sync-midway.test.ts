import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dialect } from '../../src/platform/db/db.ts'
import { drainQueue } from '../support/drain-queue.ts'
import { localSync } from '../support/local-sync.ts'
import { DIALECTS } from '../support/test-app.ts'

const FILES = 1200

/** Starts a run of many files and does something while it is under way. */
async function midway(
  t: TestContext,
  dialect: Dialect,
  meanwhile: (server: Awaited<ReturnType<typeof localSync>>, path: string) => Promise<void>,
) {
  const server = await localSync(t, dialect)
  const { put, request, deps, bucket_id, get } = server
  for (let i = 0; i < FILES; i++) await put(`f${i}.txt`, `content ${i}`)
  const base = `/v1/buckets/${bucket_id}/syncs`
  const made = await request('POST', base, { body: { connection_id: 'local', source_path: '/' } })
  const path = `${base}/${made.body.sync_config_id}`
  const run_id = made.body.current_sync_run_id
  const ended = drainQueue(deps)
  const taken = async () => (await get(made.body.sync_config_id, `/runs/${run_id}`)).counts.created
  while ((await taken()) === 0) await sleep(5)
  await meanwhile(server, path)
  const { object_count } = (await request('GET', `/v1/buckets/${bucket_id}`)).body
  assert.ok(object_count < FILES, 'it was under way')
  await ended
  const run = await get(made.body.sync_config_id, `/runs/${run_id}`)
  return { ...server, path, run, sync: await get(made.body.sync_config_id) }
}

for (const dialect of DIALECTS) {
  test(`a bucket that is locked during a run ends it soon, and unlocked the sync goes on (${dialect})`, async (t) => {
    const { run, request, path, bucket_id, deps, objects } = await midway(t, dialect, async (server) => {
      await server.request('PATCH', `/v1/buckets/${server.bucket_id}`, { body: { is_locked: true } })
    })
    assert.equal(run.status, 'FAILED')
    assert.match(run.error, /locked/)
    assert.ok((await objects()).length < FILES)
    await request('PATCH', `/v1/buckets/${bucket_id}`, { body: { is_locked: false } })
    await request('POST', `${path}/trigger`)
    await drainQueue(deps)
    assert.equal((await request('GET', `/v1/buckets/${bucket_id}`)).body.object_count, FILES)
  })

  test(`a connection that is suspended during a run lets it finish, and no run follows (${dialect})`, async (t) => {
    const { run, sync, request, path } = await midway(t, dialect, async (server) => {
      await server.request('PATCH', '/v1/organizations/connections/local', { body: { status: 'suspended' } })
    })
    assert.deepEqual([run.status, run.counts.created], ['COMPLETED', FILES])
    assert.equal(sync.consecutive_failures, 0)
    const { body } = await request('GET', '/v1/organizations/connections/local')
    assert.equal(body.status, 'SUSPENDED', 'a run that ends well does not activate it')
    const refused = await request('POST', `${path}/trigger`)
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'connection_inactive'])
  })

  test(`a sync that is deleted during a run stops, and leaves no job and no unnamed bytes (${dialect})`, async (t) => {
    const { deps, bucket_id, request } = await midway(t, dialect, async (server, path) => {
      assert.equal((await server.request('DELETE', path)).status, 200)
    })
    assert.deepEqual(await deps.db.selectFrom('jobs').selectAll().execute(), [])
    const { object_count } = (await request('GET', `/v1/buckets/${bucket_id}`)).body
    assert.ok(object_count > 0 && object_count < FILES)
    const files = await deps.db.selectFrom('files').selectAll().execute()
    assert.equal(files.length, object_count)
  })
}

import assert from 'node:assert/strict'
import { chmod, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { drainQueue } from '../support/drain-queue.ts'
import { localSync } from '../support/local-sync.ts'
import { DIALECTS } from '../support/test-app.ts'

const field = (source: object, more: object = {}) => ({ target_type: 'field', source, ...more })

for (const dialect of DIALECTS) {
  test(`the first run takes every file, the second nothing, and a changed file changes its object (${dialect})`, async (t) => {
    const { put, sync, run, get, objects } = await localSync(t, dialect)
    await put('a.txt', 'first')
    await put('deep/er/b.txt', 'second')
    const { sync_config_id, sync_mode } = await sync()
    assert.equal(sync_mode, 'continuous')
    const before = await objects()
    assert.equal(before.length, 2)
    const after = await get(sync_config_id)
    assert.deepEqual([after.status, after.total_files_discovered, after.total_files_synced], ['ACTIVE', 2, 2])
    assert.ok(after.next_sync_at > after.last_sync_at)
    const second = await run(sync_config_id)
    assert.deepEqual([second.status, second.counts.unchanged, second.counts.created], ['COMPLETED', 2, 0])
    await put('a.txt', 'first, changed')
    const third = await run(sync_config_id)
    assert.deepEqual([third.counts.unchanged, third.counts.updated, third.counts.created], [1, 1, 0])
    const ids = (list: { object_id: string }[]) => list.map(({ object_id }) => object_id).sort()
    assert.deepEqual(ids(await objects()), ids(before))
    const task = (await get(sync_config_id)).task_ids[0]
    assert.ok(task)
  })

  test(`vanished files stay by default; the policy delete removes them, a rename keeps equal content (${dialect})`, async (t) => {
    const { put, sync, run, objects, root } = await localSync(t, dialect)
    await put('gone.txt', 'goes')
    await put('moves.txt', 'moves')
    await put('stays.txt', 'stays')
    const kept = await sync()
    await rm(join(root, 'gone.txt'))
    await run(kept.sync_config_id)
    assert.equal((await objects()).length, 3)
    const { sync_config_id } = await sync({ deletion_policy: 'delete' })
    await rename(join(root, 'moves.txt'), join(root, 'moved.txt'))
    await put('later.txt', 'later')
    const third = await run(sync_config_id)
    // The object of the renamed file goes over to its new name, as its content is equal.
    assert.deepEqual([third.counts.created, third.counts.duplicates, third.counts.deleted], [1, 1, 0])
    await rm(join(root, 'stays.txt'))
    const fourth = await run(sync_config_id)
    assert.equal(fourth.counts.deleted, 1)
    assert.equal((await objects()).length, 3)
    await rm(join(root, 'moved.txt'))
    assert.equal((await run(sync_config_id)).counts.deleted, 1)
  })

  test(`a file that changes leaves the object to the other file with its old content (${dialect})`, async (t) => {
    const { put, sync, run, objects } = await localSync(t, dialect)
    await put('one.txt', 'equal')
    await put('two.txt', 'equal')
    const { sync_config_id } = await sync()
    assert.equal((await objects()).length, 1)
    await put('one.txt', 'different now')
    await put('two.txt', 'equal')
    await run(sync_config_id)
    const sizes = (await objects()).map(
      (one: { blobs: { details: { size_bytes: number } }[] }) => one.blobs[0]!.details.size_bytes,
    )
    assert.deepEqual(sizes.sort(), [13, 5].sort())
  })

  test(`filters are ANDed: patterns by path or name, sizes, extensions, MIME types (${dialect})`, async (t) => {
    const { put, sync, get } = await localSync(t, dialect)
    await put('docs/a.txt', 'aaaa')
    await put('docs/draft/b.txt', 'bbbb')
    await put('docs/c.md', 'cccc')
    await put('other/d.txt', 'dddd')
    await put('docs/long.txt', 'x'.repeat(100))
    const file_filters = {
      include_patterns: ['docs/**'],
      exclude_patterns: ['**/draft/**'],
      extensions: ['txt'],
      max_size_bytes: 50,
      mime_types: ['text/*'],
    }
    const { sync_config_id } = await sync({ file_filters })
    const { results } = await get(sync_config_id, '/files')
    assert.deepEqual(
      results.map(({ path }: { path: string }) => path),
      ['docs/a.txt'],
    )
    const { results: runs } = await get(sync_config_id, '/runs')
    assert.equal(runs[0].counts.filtered, 4)
  })

  test(`mappings fill fields from names, folders and constants; a required one that lacks parks the file (${dialect})`, async (t) => {
    const { put, sync, get, objects } = await localSync(t, dialect)
    await put('Cats/cat-2024.txt', 'meow')
    await put('Dogs/dog.txt', 'woof')
    const mappings = {
      content: { target_type: 'blob', source: { type: 'file' } },
      kind: field({ type: 'folder_path', segment: -1 }, { transform: 'lowercase' }),
      year: field({ type: 'filename_regex', pattern: '-(\\d{4})' }, { required: true }),
    }
    const { sync_config_id } = await sync({ schema_mapping: { mappings } })
    const [object, ...more] = await objects()
    assert.equal(more.length, 0)
    assert.deepEqual([object.kind, object.year], ['cats', '2024'])
    const { results } = await get(sync_config_id, '/files?state=failed')
    assert.deepEqual(
      results.map(({ path, error_code }: { path: string; error_code: string }) => [path, error_code]),
      [['Dogs/dog.txt', 'source_value_missing']],
    )
    assert.equal((await get(sync_config_id)).total_files_failed, 1)
  })

  test(`files that cannot be taken are parked with their reason and the run goes on (${dialect})`, async (t) => {
    const { put, sync, get, root } = await localSync(t, dialect)
    await put('good.txt', 'good')
    await put('picture.png', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'))
    await put('large.txt', 'x'.repeat(300_000))
    await put('CON.txt', 'a Windows name')
    await put('back\\slash.txt', 'a back slash')
    await put('secret.txt', 'secret')
    await chmod(join(root, 'secret.txt'), 0)
    const { sync_config_id } = await sync()
    const { results } = await get(sync_config_id, '/files?state=failed')
    const codes = Object.fromEntries(
      results.map((one: { path: string; error_code: string }) => [one.path, one.error_code]),
    )
    assert.equal(codes['picture.png'], 'blob_property_ambiguous')
    assert.equal(codes['large.txt'], 'source_file_too_large')
    if (process.getuid?.() !== 0) assert.equal(codes['secret.txt'], 'source_item_unreadable')
    const { results: taken } = await get(sync_config_id, '/files?state=synced')
    assert.ok(taken.some(({ path }: { path: string }) => path === 'CON.txt'))
    assert.ok(taken.some(({ path }: { path: string }) => path === 'back\\slash.txt'))
    const { results: runs } = await get(sync_config_id, '/runs')
    assert.equal(runs[0].status, 'COMPLETED_WITH_ERRORS')
  })

  test(`a dry run tells what would happen and changes nothing (${dialect})`, async (t) => {
    const { put, sync, get, objects, request, bucket_id, deps, root } = await localSync(t, dialect)
    await put('a.txt', 'a')
    await put('b.txt', 'b')
    const { sync_config_id } = await sync({ deletion_policy: 'delete' })
    await put('a.txt', 'changed')
    await put('c.txt', 'new')
    await put('large.txt', 'x'.repeat(300_000))
    await rm(join(root, 'b.txt'))
    const before = await objects()
    const { body } = await request(
      'POST',
      `/v1/buckets/${bucket_id}/syncs/${sync_config_id}/trigger?dry_run=true`,
    )
    await drainQueue(deps)
    const run = await get(sync_config_id, `/runs/${body.sync_job_id}`)
    const report = Object.fromEntries(
      run.report.map((one: { path: string; action: string }) => [one.path, one.action]),
    )
    assert.deepEqual(report, { 'a.txt': 'update', 'b.txt': 'delete', 'c.txt': 'create', 'large.txt': 'fail' })
    assert.deepEqual(await objects(), before)
  })

  test(`pause and resume are idempotent; a paused sync refuses a trigger and resuming runs at once (${dialect})`, async (t) => {
    const { put, sync, request, bucket_id, deps, objects } = await localSync(t, dialect)
    await put('a.txt', 'a')
    const { sync_config_id } = await sync()
    const path = `/v1/buckets/${bucket_id}/syncs/${sync_config_id}`
    for (const _ of [1, 2]) {
      const { body } = await request('POST', `${path}/pause`)
      assert.deepEqual([body.status, body.paused, body.next_sync_at], ['SUSPENDED', true, undefined])
    }
    const refused = await request('POST', `${path}/trigger`)
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'sync_paused'])
    await put('b.txt', 'b')
    const resumed = await request('POST', `${path}/resume`)
    assert.equal(resumed.body.paused, false)
    const again = await request('POST', `${path}/resume`)
    assert.equal(again.body.current_sync_run_id, resumed.body.current_sync_run_id)
    const [one, two] = [await request('POST', `${path}/trigger`), await request('POST', `${path}/trigger`)]
    assert.deepEqual(one.body, two.body)
    await drainQueue(deps)
    assert.equal((await objects()).length, 2)
    assert.equal((await request('PATCH', path, { body: { status: 'paused' } })).body.status, 'SUSPENDED')
    const stopped = await request('PATCH', path, { body: { is_active: false } })
    assert.deepEqual([stopped.body.is_active, stopped.body.paused], [false, true])
    const started = await request('PATCH', path, { body: { is_active: true } })
    assert.deepEqual([started.body.is_active, started.body.paused], [true, false])
  })

  test(`null clears what may be absent, and says nothing about settings that always have a value (${dialect})`, async (t) => {
    const { request, bucket_id, sync, put, run } = await localSync(t, dialect)
    const settings = { batch_size: 7, deletion_policy: 'delete', description: 'x', metadata: { a: 1 } }
    const { sync_config_id } = await sync(settings)
    const path = `/v1/buckets/${bucket_id}/syncs/${sync_config_id}`
    const nothing = Object.fromEntries(
      [
        ...['description', 'metadata', 'polling_interval_seconds', 'batch_size', 'skip_batch_submission'],
        ...['file_filters', 'schedule', 'deletion_policy', 'skip_duplicates'],
        ...['max_objects_per_run', 'batch_chunk_size'],
      ].map((member) => [member, null]),
    )
    const { status, body } = await request('PATCH', path, { body: nothing })
    assert.equal(status, 200, JSON.stringify(body))
    assert.deepEqual(
      [body.batch_size, body.deletion_policy, body.metadata, 'description' in body],
      [7, 'delete', { a: 1 }, false],
    )
    await put('a.txt', 'a')
    assert.equal((await run(sync_config_id)).counts.created, 1)
  })

  test(`modes in both spellings, and one_time ends COMPLETED yet can be triggered (${dialect})`, async (t) => {
    const { put, sync, run, get } = await localSync(t, dialect)
    await put('a.txt', 'a')
    const once = await sync({ sync_mode: 'one_time' })
    assert.equal(once.sync_mode, 'initial_only')
    const done = await get(once.sync_config_id)
    assert.deepEqual([done.status, done.next_sync_at], ['COMPLETED', undefined])
    assert.equal((await run(once.sync_config_id)).status, 'COMPLETED')
    assert.equal((await sync({ sync_mode: 'scheduled', schedule: '0 3 * * *' })).sync_mode, 'continuous')
  })

  test(`what cannot work is refused when the sync is made (${dialect})`, async (t) => {
    const { request, bucket_id } = await localSync(t, dialect)
    const create = async (body: object) => {
      const answer = await request('POST', `/v1/buckets/${bucket_id}/syncs`, {
        body: { connection_id: 'local', source_path: '/', ...body },
      })
      return [answer.status, answer.body.detail?.[0]?.loc?.slice(1).join('.') ?? answer.body.error?.code]
    }
    const mapping = (target: string, entry: object) => ({ schema_mapping: { mappings: { [target]: entry } } })
    assert.deepEqual(await create({ source_path: '../up' }), [422, 'source_path'])
    assert.deepEqual(await create({ connection_id: 'none' }), [404, 'connection_not_found'])
    assert.deepEqual(await create(mapping('nope', field({ type: 'constant', value: 1 }))), [
      422,
      'schema_mapping.mappings.nope',
    ])
    assert.deepEqual(await create(mapping('kind', field({ type: 'file' }))), [
      422,
      'schema_mapping.mappings.kind.source.type',
    ])
    for (const pattern of ['\\d+', '(a)(b)', '(', '(a+)+(b)'])
      assert.deepEqual(
        await create(mapping('kind', field({ type: 'filename_regex', pattern }))),
        [422, 'schema_mapping.mappings.kind.source.pattern'],
        pattern,
      )
    for (const glob of [`{${'a,'.repeat(20)}b}`, '{{{{{{a,b}}}}}}', '{1..100000}', '*a*a*a*a*a*a*a*a*a*b'])
      assert.deepEqual(
        await create({ file_filters: { include_patterns: [glob] } }),
        [422, 'file_filters.include_patterns.0'],
        glob,
      )
    assert.deepEqual(await create({ file_filters: { min_size_bytes: -1 } }), [
      422,
      'file_filters.min_size_bytes',
    ])
    assert.deepEqual(await create({ schedule: 'every day' }), [422, 'schedule'])
    for (const schedule of ['* * * * * *', '2030-01-01T00:00:00', '0 0 0 1 1 * 2030', '0 0 30 2 *'])
      assert.deepEqual(await create({ schedule }), [422, 'schedule'], schedule)
    assert.deepEqual(await create({ polling_interval_seconds: 5 }), [422, 'polling_interval_seconds'])
  })

  test(`five failed runs end a sync, resume starts anew; a missing folder says so (${dialect})`, async (t) => {
    const { put, sync, run, get, request, bucket_id, deps, root } = await localSync(t, dialect)
    await put('in/a.txt', 'a')
    const { sync_config_id } = await sync({ source_path: 'in' })
    await rename(join(root, 'in'), join(root, 'away'))
    for (let i = 0; i < 5; i++) {
      const failed = await run(sync_config_id)
      assert.equal(failed.status, 'FAILED')
      assert.match(failed.error, /does not exist/)
    }
    const dead = await get(sync_config_id)
    assert.deepEqual([dead.status, dead.is_active, dead.consecutive_failures], ['FAILED', false, 5])
    assert.equal((await request('GET', '/v1/organizations/connections/local')).body.status, 'FAILED')
    await rename(join(root, 'away'), join(root, 'in'))
    await request('POST', `/v1/buckets/${bucket_id}/syncs/${sync_config_id}/resume`)
    await drainQueue(deps)
    const alive = await get(sync_config_id)
    assert.deepEqual([alive.status, alive.is_active, alive.consecutive_failures], ['ACTIVE', true, 0])
    assert.equal((await request('GET', '/v1/organizations/connections/local')).body.status, 'ACTIVE')
  })

  test(`the cap of a run leaves the rest to the next, which follows at once (${dialect})`, async (t) => {
    const { put, sync, get, objects } = await localSync(t, dialect)
    for (let i = 0; i < 25; i++) await put(`f${i}.txt`, `content ${i}`)
    const { sync_config_id } = await sync({ max_objects_per_run: 10, sync_mode: 'initial_only' })
    assert.equal((await objects()).length, 25)
    const { results, total } = await get(sync_config_id, '/runs')
    assert.deepEqual(
      [total, results.map((one: { counts: { created: number } }) => one.counts.created)],
      [3, [5, 10, 10]],
    )
  })

  test(`a bucket with a unique key takes files by upsert (${dialect})`, async (t) => {
    const { put, objects, request, deps } = await localSync(t, dialect)
    const bucket_schema = {
      properties: { sku: { type: 'string', required: true }, content: { type: 'text' } },
    }
    const unique_key = { fields: ['sku'], default_policy: 'insert' }
    const { body } = await request('POST', '/v1/buckets', {
      body: { bucket_name: 'keyed', bucket_schema, unique_key },
    })
    await put('a-1.txt', 'one')
    await put('b-1.txt', 'two')
    const mappings = {
      content: { target_type: 'blob', source: { type: 'file' } },
      sku: field({ type: 'filename_regex', pattern: '-(\\d+)' }),
    }
    const made = await request('POST', `/v1/buckets/${body.bucket_id}/syncs`, {
      body: { connection_id: 'local', source_path: '', schema_mapping: { mappings } },
    })
    assert.equal(made.status, 200, JSON.stringify(made.body))
    await drainQueue(deps)
    const { body: listed } = await request('POST', `/v1/buckets/${body.bucket_id}/objects/list`, { body: {} })
    assert.deepEqual(
      listed.results.map(({ sku }: { sku: string }) => sku),
      ['1'],
    )
    assert.equal((await objects()).length, 0)
  })

  test(`batches are made for new objects, and none when the sync says so (${dialect})`, async (t) => {
    const { put, sync, get, request, bucket_id } = await localSync(t, dialect)
    const collection = {
      collection_name: 'texts',
      source: { type: 'bucket', bucket_ids: [bucket_id] },
      feature_extractor: {
        feature_extractor_name: 'passthrough_extractor',
        version: 'v1',
        input_mappings: { data: 'content' },
      },
    }
    const made = await request('POST', '/v1/collections', { body: collection })
    assert.equal(made.status, 200, JSON.stringify(made.body))
    for (let i = 0; i < 5; i++) await put(`in/f${i}.txt`, `content ${i}`)
    const { sync_config_id } = await sync({ source_path: 'in', batch_chunk_size: 2 })
    const { batch_ids, batches_created } = await get(sync_config_id)
    assert.deepEqual([batch_ids.length, batches_created], [3, 3])
    const { body } = await request('POST', `/v1/buckets/${bucket_id}/batches/list`, { body: {} })
    assert.deepEqual(
      body.results.map(({ object_count }: { object_count: number }) => object_count).sort(),
      [1, 2, 2],
    )
    await put('quiet/g.txt', 'quiet')
    const quiet = await sync({ source_path: 'quiet', skip_batch_submission: true })
    assert.equal((await get(quiet.sync_config_id)).batches_created, 0)
  })

  test(`deleting keeps the objects; a deleted bucket takes its syncs along; another tenant sees nothing (${dialect})`, async (t) => {
    const { put, sync, run, request, bucket_id, deps, objects } = await localSync(t, dialect)
    await put('a.txt', 'a')
    const first = await sync()
    const path = `/v1/buckets/${bucket_id}/syncs/${first.sync_config_id}`
    assert.deepEqual((await request('DELETE', path)).body.success, true)
    assert.equal((await request('GET', path)).status, 404)
    assert.equal((await objects()).length, 1)
    const second = await sync()
    assert.equal(
      (await run(second.sync_config_id)).counts.unchanged,
      1,
      'the file is known from the deleted sync',
    )
    await request('POST', '/v1/namespaces', { body: { namespace_name: 'other', feature_extractors: [] } })
    const foreign = await request('GET', `/v1/buckets/${bucket_id}/syncs/${second.sync_config_id}`, {
      namespace: 'other',
    })
    assert.equal(foreign.status, 404)
    await request('DELETE', `/v1/buckets/${bucket_id}`)
    await drainQueue(deps)
    for (const table of ['syncs', 'sync_runs', 'sync_items'] as const)
      assert.deepEqual(await deps.db.selectFrom(table).selectAll().execute(), [], table)
  })

  test(`archiving a connection suspends its syncs (${dialect})`, async (t) => {
    const { put, sync, get, request } = await localSync(t, dialect)
    await put('a.txt', 'a')
    const { sync_config_id } = await sync()
    await request('DELETE', '/v1/organizations/connections/local')
    const after = await get(sync_config_id)
    assert.deepEqual([after.status, after.paused, after.next_sync_at], ['SUSPENDED', true, undefined])
  })
}

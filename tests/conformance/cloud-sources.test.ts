import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { collect } from '../../src/lib/streams.ts'
import { findProvider } from '../../src/platform/sources/registry.ts'
import type { OpenSource, SourceConfig, SourceFile } from '../../src/platform/sources/source-provider.ts'
import { DOCUMENT, startFakeDrive } from '../support/fake-drive.ts'
import { startFakeGraph } from '../support/fake-graph.ts'
import { contextOf } from '../support/source-trees.ts'

const LIMITS = { limit_bytes: 1e6, with_tags: false }

async function opened(t: TestContext, provider_type: string, config: SourceConfig, settings: object) {
  const { context, close } = contextOf({ settings })
  const source = await findProvider(provider_type)!.open(config, context)
  t.after(close)
  return source
}

async function listed(source: OpenSource, path = '/'): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  const options = { signal: AbortSignal.timeout(20_000), page_size: 50, cursor: null }
  for await (const item of source.list(path, options)) files.push(item as SourceFile)
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

const bytes = async (source: OpenSource, file: SourceFile) =>
  Buffer.from(
    await collect((await source.read!(file, { ...LIMITS, signal: AbortSignal.timeout(5000) })).body),
  ).toString()

async function drive(
  t: TestContext,
  config?: (it: Awaited<ReturnType<typeof startFakeDrive>>) => SourceConfig,
) {
  const it = await startFakeDrive()
  t.after(() => it.close())
  const settings = { google_api_url: it.url, google_token_url: `${it.url}/token` }
  const source = await opened(t, 'google_drive', config?.(it) ?? { credentials: it.credentials }, settings)
  return { ...it, it, source }
}

async function graph(
  t: TestContext,
  config?: (it: Awaited<ReturnType<typeof startFakeGraph>>) => SourceConfig,
) {
  const it = await startFakeGraph()
  t.after(() => it.close())
  const settings = { microsoft_graph_url: `${it.url}/v1.0`, microsoft_login_url: it.url }
  const given = config?.(it) ?? { credentials: it.credentials, drive_id: it.drive_id }
  return { ...it, it, source: await opened(t, 'sharepoint', given, settings) }
}

test('a Google document comes as PDF, and what Google cannot export says so', async (t) => {
  const { source, tree, types } = await drive(t)
  types.set(tree.put('notes/Plan', 'text').id, DOCUMENT)
  types.set(tree.put('Questions', 'x').id, 'application/vnd.google-apps.form')
  const [form, document] = await listed(source)
  assert.deepEqual(
    [document!.path, document!.mime_type, document!.size_bytes],
    ['notes/Plan.pdf', 'application/pdf', null],
  )
  assert.match(await bytes(source, document!), /^%PDF/)
  await assert.rejects(bytes(source, form!), { code: 'source_item_unreadable' })
})

test('folders of Drive are found by their names or by their id; properties are told', async (t) => {
  const { source, tree } = await drive(t)
  tree.put("it's/deep/a.txt", 'a')
  const folder = tree.at("it's/deep")!
  for (const path of ["it's/deep", "/it's/deep/", folder.id]) {
    const [file] = await listed(source, path)
    assert.deepEqual([file!.path, file!.properties!.team], ['a.txt', 'blue'])
  }
  await assert.rejects(listed(source, 'no/such'), { code: 'connection_failed' })
})

test('a refresh token gives access too; a wrong one is refused without being shown', async (t) => {
  const { source, tree } = await drive(t, ({ oauth }) => ({ credentials: oauth }))
  tree.put('a.txt', 'a')
  assert.equal((await listed(source)).length, 1)
  const wrong = await drive(t, ({ oauth }) => ({ credentials: { ...oauth, refresh_token: 'stolen-secret' } }))
  await assert.rejects(listed(wrong.source), (error: Error) => {
    assert.match(error.message, /invalid_grant/)
    return !JSON.stringify(error).includes('stolen-secret') && !error.message.includes('stolen-secret')
  })
})

for (const [name, start] of [
  ['google_drive', drive],
  ['sharepoint', graph],
] as const) {
  test(`${name}: a token that has expired is renewed once, and the listing goes on`, async (t) => {
    const { source, tree, tokens } = await start(t)
    for (let i = 0; i < 10; i++) tree.put(`folder/${i}.txt`, 'x')
    await listed(source, 'folder')
    tokens.clear()
    assert.equal((await listed(source, 'folder')).length, 10)
    assert.equal(tokens.size, 1)
  })

  test(`${name}: a cloud that asks to slow down is asked again, and given up when it goes on`, async (t) => {
    const { source, tree, it } = await start(t)
    tree.put('a.txt', 'x')
    it.refuse.push({ status: 429, headers: { 'retry-after': '0' } }, { status: 503 })
    assert.equal((await listed(source)).length, 1)
    it.refuse.push({ status: 429, headers: { 'retry-after': '3600' } })
    await assert.rejects(listed(source), { code: 'source_busy' })
  })

  test(`${name}: an answer that is no JSON, or a denial, is told in words of our own`, async (t) => {
    const { source, it } = await start(t)
    await source.test(AbortSignal.timeout(5000))
    it.refuse.push({ status: 200 })
    await assert.rejects(listed(source), /something other than JSON/)
    it.refuse.push({
      status: 403,
      body: { error: { code: 'accessDenied', errors: [{ reason: 'accessDenied' }] } },
    })
    await assert.rejects(listed(source), /denies access \(accessDenied\)/)
  })
}

test('Drive says with 403 that it is asked too often', async (t) => {
  const { source, it, tree } = await drive(t)
  tree.put('a.txt', 'x')
  it.refuse.push({ status: 403, body: { error: { errors: [{ reason: 'userRateLimitExceeded' }] } } })
  assert.equal((await listed(source)).length, 1)
})

test('the drive of a site, a drive by its id and a folder of it list the same files', async (t) => {
  const paths = async (config: Parameters<typeof graph>[1], path = '/') => {
    const { source, tree } = await graph(t, config)
    for (let i = 0; i < 7; i++) tree.put(`base/sub ${i}/f.txt`, 'x')
    return (await listed(source, path)).map((file) => file.path)
  }
  const whole = await paths(({ credentials, site_id }) => ({ credentials, site_id }))
  assert.equal(whole.length, 7, 'the delta names items before their folders')
  const delegated = await paths(({ credentials, refresh_token }) => ({
    credentials: { ...credentials, type: 'delegated', refresh_token },
  }))
  assert.deepEqual(delegated, whole)
  const below = await paths(({ credentials, drive_id }) => ({ credentials, drive_id, folder_path: '/base' }))
  assert.deepEqual(
    below,
    whole.map((path) => path.replace('base/', '')),
  )
  const none = await graph(t, ({ credentials }) => ({ credentials }))
  await assert.rejects(listed(none.source), /name site_id or drive_id/)
})

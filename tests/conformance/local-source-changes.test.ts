import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { collect } from '../../src/lib/streams.ts'
import { HttpClient } from '../../src/platform/net/http-client.ts'
import { localSource } from '../../src/platform/sources/local-source.ts'
import { sourceContext } from '../../src/platform/sources/source-context.ts'
import type { SourceFile } from '../../src/platform/sources/source-provider.ts'

const MIB = 1024 * 1024

test('a file that changes while it is read, or was replaced by a link, is not taken', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'kura-source-'))
  t.after(() => rm(root, { recursive: true }))
  const clouds = {
    google_api_url: '',
    google_token_url: '',
    microsoft_graph_url: '',
    microsoft_login_url: '',
  }
  const http = new HttpClient({ allowed_private_hosts: '' })
  t.after(() => http.close())
  const settings = { local_source_roots: root, allowed_private_hosts: '', ...clouds }
  const source = await localSource.open({ root }, sourceContext(settings, http))
  const path = join(root, 'growing.bin')
  await writeFile(path, Buffer.alloc(2 * MIB))
  const options = { signal: AbortSignal.timeout(10_000), page_size: 50, cursor: null }
  const files: SourceFile[] = []
  for await (const item of source.list('', options)) if (item.kind === 'file') files.push(item)
  const file = files[0]!
  const read = { signal: AbortSignal.timeout(10_000), limit_bytes: 10 * MIB, with_tags: false }

  const { body } = await source.read!(file, read)
  const chunks = body[Symbol.asyncIterator]()
  await chunks.next()
  await appendFile(path, 'more')
  await assert.rejects(
    async () => {
      while (!(await chunks.next()).done);
    },
    { code: 'source_item_changed' },
  )
  // The next try reads what is there now, and says which version that is.
  const { body: again, version } = await source.read!(file, read)
  assert.equal((await collect(again)).byteLength, 2 * MIB + 4)
  assert.notEqual(version, file.version)

  await rm(path)
  await symlink('/etc/hostname', path)
  await assert.rejects(source.read!(file, read), { code: 'source_item_gone' })
})

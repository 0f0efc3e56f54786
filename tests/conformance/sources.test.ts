import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { KuraError } from '../../src/core/errors.ts'
import { collect } from '../../src/lib/streams.ts'
import { findProvider } from '../../src/platform/sources/registry.ts'
import type { OpenSource, SourceFile } from '../../src/platform/sources/source-provider.ts'
import { contextOf, type SourceTree, TREE_SOURCES, withTree } from '../support/source-trees.ts'

const MIB = 1024 * 1024
const ODD_NAMES = [
  'with space.txt',
  'per%20cent%.txt',
  'hash#tag.txt',
  'question?.txt',
  '"quotes" & \'more\'.txt',
  'plus+and;semi=colon.txt',
  'Größe 数据 🎬.txt',
  '<b>.txt',
]

const limits = (over: object = {}) => ({
  signal: AbortSignal.timeout(30_000),
  limit_bytes: 10 * MIB,
  with_tags: false,
  ...over,
})

async function filesOf(source: OpenSource, path: string): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  const options = { signal: AbortSignal.timeout(30_000), page_size: 50, cursor: null }
  for await (const item of source.list(path, options)) {
    if (item.kind === 'fault') throw item.error
    assert.equal(item.kind, 'file')
    files.push(item as SourceFile)
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

for (const { provider_type, skip, has_empty_folders, start } of TREE_SOURCES) {
  describe(`source: ${provider_type}`, { skip }, () => {
    let tree: SourceTree
    let source: OpenSource
    let closeContext: () => Promise<void>
    before(async () => {
      tree = await start()
      const { context, close } = contextOf(tree)
      closeContext = close
      source = await findProvider(provider_type)!.open(tree.config, context)
      await tree.put('a.txt', 'alpha')
      await tree.put('deep/er/b.txt', 'beta')
      for (const name of ODD_NAMES) await tree.put(`odd/${name}`, `content of ${name}`)
      if (has_empty_folders) await tree.put('empty/', '')
    })
    after(async () => {
      await source?.close()
      await closeContext?.()
      await tree?.close()
    })
    const below = (path: string) => (tree.source_path === '/' ? `/${path}` : `${tree.source_path}/${path}`)
    const list = () => filesOf(source, tree.source_path)
    const fileAt = async (path: string) => {
      const file = (await list()).find((one) => one.path === path)
      assert.ok(file, path)
      return file
    }
    const text = async (file: SourceFile) =>
      Buffer.from(await collect((await source.read!(file, limits())).body)).toString()

    test('a connection that works passes its test', () => source.test(AbortSignal.timeout(10_000)))

    test('every file in every folder is listed once, whatever its name, and read as it is', async () => {
      const files = await list()
      const expected = ['a.txt', 'deep/er/b.txt', ...ODD_NAMES.map((name) => `odd/${name}`)].sort()
      assert.deepEqual(files.map(({ path }) => path).sort(), expected)
      assert.equal(new Set(files.map(({ source_id }) => source_id)).size, files.length)
      for (const file of files.filter(({ path }) => path.startsWith('odd/'))) {
        assert.equal(file.name, file.path.slice(4))
        assert.equal(await text(file), `content of ${file.name}`)
        assert.equal(file.size_bytes, Buffer.byteLength(`content of ${file.name}`))
      }
    })

    test('a sub-folder lists what is in it, by paths below it', async () => {
      const files = await filesOf(source, below('deep'))
      assert.deepEqual(
        files.map(({ path }) => path),
        ['er/b.txt'],
      )
      const [same] = (await list()).filter(({ path }) => path === 'deep/er/b.txt')
      assert.equal(files[0]!.source_id, same!.source_id)
    })

    test('an empty folder is an empty list, a missing one an error', async () => {
      if (!has_empty_folders) return
      assert.deepEqual(await filesOf(source, below('empty')), [])
      await assert.rejects(filesOf(source, below('no such folder')), { code: 'connection_failed' })
    })

    test('a file keeps its version until its content changes', async () => {
      await tree.put('changing.txt', 'one')
      const first = await fileAt('changing.txt')
      assert.equal((await fileAt('changing.txt')).version, first.version)
      const { version, body } = await source.read!(first, limits())
      await collect(body)
      assert.equal(version ?? first.version, first.version)
      await tree.put('changing.txt', 'twice as long')
      const second = await fileAt('changing.txt')
      assert.equal(second.source_id, first.source_id)
      assert.notEqual(second.version, first.version)
      await tree.remove('changing.txt')
    })

    test('a file that has vanished is gone', async () => {
      await tree.put('vanishing.txt', 'soon gone')
      const file = await fileAt('vanishing.txt')
      await tree.remove('vanishing.txt')
      await assert.rejects(source.read!(file, limits()), { code: 'source_item_gone' })
    })

    test('a file over the limit is refused, and large ones come whole', async () => {
      const content = Buffer.alloc(3 * MIB, 'large ')
      await tree.put('large.txt', content)
      const file = await fileAt('large.txt')
      await assert.rejects(
        async () => collect((await source.read!(file, limits({ limit_bytes: 1000 }))).body),
        { code: 'source_file_too_large' },
      )
      const read = Buffer.from(await collect((await source.read!(file, limits())).body))
      assert.ok(read.equals(content))
      await tree.remove('large.txt')
    })

    test('browsing shows one level, each list bounded', async () => {
      const options = { signal: AbortSignal.timeout(10_000), max_results: 100 }
      const { folders, files } = await source.browse!(tree.source_path, options)
      assert.deepEqual(
        files.map(({ name }) => name),
        ['a.txt'],
      )
      const names = folders.map(({ name }) => name).sort()
      assert.deepEqual(names, [...['deep', 'odd'], ...(has_empty_folders ? ['empty'] : [])].sort())
      const deeper = await source.browse!(folders.find(({ name }) => name === 'deep')!.path, options)
      assert.deepEqual(
        deeper.folders.map(({ name }) => name),
        ['er'],
      )
      const few = await source.browse!(below('odd'), { ...options, max_results: 2 })
      assert.ok(few.files.length <= 2)
    })

    test('a wrong password and a wrong host are named, without secrets', async () => {
      for (const config of [tree.wrong_password, tree.wrong_host]) {
        if (!config) continue
        const error = await withTree(provider_type, { ...tree, config }, (one) =>
          one.test(AbortSignal.timeout(10_000)),
        ).then(
          () => assert.fail('the test passed'),
          (thrown: KuraError) => thrown,
        )
        assert.equal(error.code, 'connection_failed', String(error))
        assert.match(error.message, config === tree.wrong_password ? /refuses the credentials/ : /refused/)
        assert.ok(!JSON.stringify({ ...error, message: error.message }).includes(tree.secret!))
      }
    })

    test('a private host that the operator has not allowed is refused', async () => {
      if (!tree.proxy) return
      const settings = { ...tree.settings, allowed_private_hosts: '' }
      await assert.rejects(
        withTree(provider_type, { ...tree, settings }, (one) => one.test(AbortSignal.timeout(10_000))),
        { code: 'url_not_allowed' },
      )
    })

    test('a connection that breaks while a file is read fails, and the next read works', async () => {
      if (!tree.proxy) return
      const content = Buffer.alloc(3 * MIB, 'cut ')
      await tree.put('cut.bin', content)
      const file = await fileAt('cut.bin')
      tree.proxy.cut_after_bytes = 500_000
      try {
        await assert.rejects(
          async () => collect((await source.read!(file, limits())).body),
          (error: KuraError) => error.code === 'connection_failed' || error.row?.retryable === true,
        )
      } finally {
        tree.proxy.cut_after_bytes = null
      }
      const read = Buffer.from(await collect((await source.read!(file, limits())).body))
      assert.ok(read.equals(content))
      await tree.remove('cut.bin')
    })

    test('an aborted listing ends with the reason of its signal', async () => {
      const stop = AbortSignal.abort(new Error('stopped by the test'))
      const options = { signal: stop, page_size: 50, cursor: null }
      await assert.rejects(async () => {
        for await (const _ of source.list(tree.source_path, options));
      }, /stopped by the test/)
    })
  })
}

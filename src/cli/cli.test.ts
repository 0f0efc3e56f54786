import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { type LocalFile, scan } from './ingest/files.ts'
import { requests } from './ingest/upload.ts'
import { draw, protocol } from './pictures.ts'

test('scanning sorts by path, names what it leaves out, and follows no links', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kura-scan-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'b/.hidden'), { recursive: true })
  await writeFile(join(folder, 'b/one.TXT'), 'x')
  await writeFile(join(folder, 'a.png'), 'x')
  await writeFile(join(folder, 'empty.txt'), '')
  await writeFile(join(folder, 'tool.exe'), 'x')
  await writeFile(join(folder, 'b/.hidden/secret.txt'), 'x')
  await symlink('/etc/hostname', join(folder, 'link.txt'))
  const { files, skipped } = await scan(folder)
  assert.deepEqual(
    files.map(({ path, field }) => [path, field]),
    [
      ['a.png', 'image'],
      ['b/one.TXT', 'text'],
    ],
  )
  assert.deepEqual(skipped.map(({ path }) => path).sort(), ['empty.txt', 'tool.exe'])
})

test('requests hold at most 100 files and, unless one file is larger, 8 MiB', () => {
  const file = (size_bytes: number): LocalFile => ({
    path: 'x',
    absolute: 'x',
    field: 'text',
    size_bytes,
    modified_at: '',
  })
  const sizes = (files: LocalFile[]) => [...requests(files)].map((group) => group.length)
  assert.deepEqual(sizes(Array.from({ length: 250 }, () => file(10))), [100, 100, 50])
  assert.deepEqual(sizes([file(5e6), file(5e6), file(20e6), file(1)]), [1, 1, 1, 1])
  assert.deepEqual(sizes([]), [])
})

test('pictures are drawn only where a terminal can show them', async () => {
  assert.equal(protocol({ COLORTERM: 'truecolor' }, true), 'blocks')
  assert.equal(protocol({ TERM: 'xterm-kitty' }, true), 'kitty')
  assert.equal(protocol({ COLORTERM: 'truecolor' }, false), 'none')
  assert.equal(protocol({ COLORTERM: 'truecolor', NO_COLOR: '1' }, true), 'none')
  const red = await sharp({ create: { width: 80, height: 40, channels: 3, background: '#ff0000' } })
    .png()
    .toBuffer()
  const rows = (await draw(red, 'blocks')).split('\n')
  assert.equal(rows.length, 10)
  assert.ok(rows[0]!.startsWith('\u001b[38;2;255;0;0m\u001b[48;2;255;0;0m▀'))
  assert.ok((await draw(red, 'kitty')).startsWith('\u001b_Ga=T,f=100,'))
})

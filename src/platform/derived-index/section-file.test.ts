import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DamagedFileError, openSections, writeSections } from './section-file.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kura-sections-'))
})
after(() => rm(folder, { recursive: true }))

const numbers = Float64Array.of(1, 2, 3.5)
const words = new TextEncoder().encode('north south')

async function written(name: string): Promise<string> {
  const path = join(folder, name)
  await writeSections(
    path,
    { change: 7 },
    { numbers: [numbers.subarray(0, 1), numbers.subarray(1)], words: [words] },
  )
  return path
}

async function readBack(path: string) {
  const file = await openSections(path)
  assert.ok(file)
  try {
    const back = new Float64Array(3)
    const text = new Uint8Array(file.lengthOf('words'))
    await file.readInto('numbers', [back])
    await file.readInto('words', [text])
    return { facts: file.facts, back, text }
  } finally {
    await file.close()
  }
}

test('what was written is read back, however it was split', async () => {
  const { facts, back, text } = await readBack(await written('plain'))
  assert.deepEqual(facts, { change: 7 })
  assert.deepEqual(back, numbers)
  assert.deepEqual(text, words)
})

test('a file that does not exist is no error', async () => {
  assert.equal(await openSections(join(folder, 'absent')), undefined)
})

test('every flipped byte is noticed', async () => {
  const path = await written('flipped')
  const bytes = await readFile(path)
  for (let i = 0; i < bytes.length; i += 1) {
    const damaged = Buffer.from(bytes)
    damaged[i]! ^= 0x10
    await writeFile(path, damaged)
    await assert.rejects(readBack(path), DamagedFileError, `byte ${i}`)
  }
})

test('every truncation is noticed', async () => {
  const path = await written('truncated')
  const { length } = await readFile(path)
  for (let size = length - 1; size >= 0; size -= 7) {
    await truncate(path, size)
    await assert.rejects(readBack(path), DamagedFileError, `${size} bytes`)
  }
})

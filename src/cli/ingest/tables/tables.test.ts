import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parquetWriteFile } from 'hyparquet-writer'
import { parseMapping, planColumns } from './columns.ts'
import { isTable, readTable, type TableRow } from './read-table.ts'
import { toObject } from './rows.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kura-tables-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const one of source) found.push(one)
  return found
}

async function rowsOf(name: string, content: string): Promise<TableRow[]> {
  const path = join(folder, name)
  await writeFile(path, content)
  return all(readTable(path))
}
const rows = (...values: Record<string, unknown>[]): TableRow[] =>
  values.map((one) => ({ place: '', values: one }))

test('CSV: quotes, line breaks in cells, a byte order mark and missing cells', async () => {
  const read = await rowsOf('a.csv', '\ufeffsku,title\n1,"He said ""no"",\nthen left"\n2\n3,x,y\n4,z\n')
  const good = read.filter((row) => 'values' in row)
  assert.deepEqual(good, [
    { place: 'line 3', values: { sku: '1', title: 'He said "no",\nthen left' } },
    { place: 'line 4', values: { sku: '2' } },
    { place: 'line 6', values: { sku: '4', title: 'z' } },
  ])
  const [failed] = read.filter((row) => 'reason' in row)
  assert.equal(failed?.place, 'line 5', 'a row with more cells than columns fails, and alone')
  assert.match(failed?.reason ?? '', /got 3/)
  assert.equal(read.length, 4)
})

test('JSON Lines: a damaged line fails alone', async () => {
  const [first, second, third, fourth] = await rowsOf(
    'a.jsonl',
    '{"a":1}\nnonsense\n\n[1]\n{"a":{"b":[true]}}\n',
  )
  assert.deepEqual(first, { place: 'line 1', values: { a: 1 } })
  assert.ok(second && 'reason' in second)
  assert.deepEqual(third, { place: 'line 4', reason: 'The line holds no JSON object.' })
  assert.deepEqual(fourth, { place: 'line 5', values: { a: { b: [true] } } })
})

test('Parquet: numbers, big numbers, times and empty cells come as JSON has them', async () => {
  const filename = join(folder, 'a.parquet')
  parquetWriteFile({
    filename,
    columnData: [
      { name: 'id', data: [1n, 9007199254740993n], type: 'INT64' },
      { name: 'price', data: [1.5, null], type: 'DOUBLE' },
      { name: 'at', data: [new Date('2026-01-02T03:04:05Z'), null], type: 'TIMESTAMP' },
      { name: 'name', data: ['one', 'zwei'], type: 'STRING' },
    ],
  })
  const [first, second] = (await all(readTable(filename))) as {
    values: Record<string, unknown>
  }[]
  assert.deepEqual(first!.values, { id: 1, price: 1.5, at: '2026-01-02T03:04:05.000Z', name: 'one' })
  assert.equal(second!.values.id, '9007199254740993')
  assert.equal(second!.values.price ?? null, null)
  assert.ok(isTable('x.PARQUET') && !isTable('x.txt'))
})

test('types are read off the values; codes with leading zeros stay text, prose is searched by meaning', () => {
  const plan = planColumns(
    rows(
      {
        'a b': '1',
        zip: '01234',
        price: '1.5',
        when: '2026-01-02',
        ok: 'true',
        about: 'x'.repeat(60),
        status: 'new',
      },
      { 'a b': '-2', zip: '99999', price: '2', when: '', ok: 'false', about: 'y'.repeat(60), status: 'old' },
    ),
    [],
  )
  assert.deepEqual(
    plan.map(({ field, type }) => [field, type]),
    [
      ['a_b', 'integer'],
      ['zip', 'string'],
      ['price', 'number'],
      ['when', 'date'],
      ['ok', 'boolean'],
      ['about', 'text'],
      ['status_', 'string'],
    ],
  )
})

test('a mapping chooses, renames and types columns, and says what is wrong with it', () => {
  const sample = rows({ Name: 'Chair', Photo: 'chair.jpg', Extra: 1 })
  assert.deepEqual(planColumns(sample, parseMapping(['title=Name', 'photo=Photo:image'])), [
    { field: 'title', column: 'Name', type: 'string' },
    { field: 'photo', column: 'Photo', type: 'image' },
  ])
  assert.throws(
    () => planColumns(sample, parseMapping(['title=Nmae'])),
    /no column "Nmae". Columns: Name, Photo, Extra/,
  )
  assert.throws(() => parseMapping(['title']), /field=column/)
  assert.throws(() => parseMapping(['a=b:picture']), /no type "picture"/)
  assert.throws(() => parseMapping(['status=b']), /sets "status" itself/)
})

test('a row becomes an object with its key, its hash and its files', async () => {
  await writeFile(join(folder, 'chair.txt'), 'wood')
  const plan = {
    rules: [
      { field: 'sku', column: 'SKU', type: 'integer' as const },
      { field: 'photo', column: 'Photo', type: 'image' as const },
    ],
    keys: ['sku'],
    folder,
  }
  const { key, hash, object } = await toObject({ SKU: ' 7 ', Photo: 'chair.txt' }, plan)
  assert.equal(key, '[7]')
  assert.deepEqual(object, {
    sku: 7,
    row_hash: hash,
    blobs: [
      {
        property: 'photo',
        type: 'image',
        data: { base64: Buffer.from('wood').toString('base64'), filename: 'chair.txt' },
      },
    ],
  })
  const url = await toObject({ SKU: '7', Photo: 'https://example.com/c.jpg' }, plan)
  assert.deepEqual(url.object.blobs, [
    { property: 'photo', type: 'image', data: 'https://example.com/c.jpg' },
  ])
  assert.notEqual(url.hash, hash)
  for (const [values, reason] of [
    [{ SKU: 'x' }, /no integer/],
    [{ SKU: '' }, /key column for "sku" is empty/],
    [{ SKU: '1', Photo: '../../etc/passwd' }, /outside the folder/],
    [{ SKU: '1', Photo: 'absent.png' }, /ENOENT/],
  ] as const)
    await assert.rejects(toObject(values, plan), reason)
})

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { postgresWithFunctions } from '../../../../tests/support/test-db.ts'
import { foldCase } from '../../../core/filters/fold.ts'
import { SIMPLE_FOLDING } from '../../../core/filters/fold-table.ts'
import { type Path, valuesAt } from '../../../core/filters/path.ts'
import { instantOf, numberOf } from '../../../core/filters/scalars.ts'
import { sortText } from '../../../core/filters/sort-order.ts'
import type { Db } from '../db.ts'

const skip = process.env.KURA_TEST_POSTGRES_URL ? false : 'KURA_TEST_POSTGRES_URL names no server'

describe('the functions of PostgreSQL', { skip }, () => {
  let db: Db
  let close: () => Promise<void>

  before(async () => {
    ;({ db, close } = await postgresWithFunctions())
  })
  after(() => close())

  /** Calls a function of one text for each text. */
  async function call<T>(name: string, texts: readonly string[]): Promise<T[]> {
    const found = await sql<{ result: T }>`select ${sql.raw(name)}(source) as result
      from unnest(${texts}::text[]) with ordinality as given(source, place) order by place`.execute(db)
    return found.rows.map(({ result }) => result)
  }

  test('fold every letter, and text around it, as the reference does', async () => {
    const letters = [...SIMPLE_FOLDING].flat().map((point) => String.fromCodePoint(point))
    const texts = [
      ...letters,
      ...letters.map((letter) => `A${letter}\u0301 b`),
      ...fc.sample(fc.string({ unit: 'grapheme' }), 300),
    ]
    const given = texts.filter((text) => !text.includes('\0'))
    assert.deepEqual(await call('kura_fold', given), given.map(foldCase))
  })

  test('read instants as the reference does', async () => {
    const two = (max: number) => fc.integer({ min: 0, max }).map((number) => String(number).padStart(2, '0'))
    const optional = (text: fc.Arbitrary<string>) => fc.oneof(text, text, fc.constant(''))
    const fraction = fc.stringMatching(/^\.[0-9]{1,10}$/)
    const zone = fc.oneof(
      fc.constant('Z'),
      fc
        .tuple(fc.constantFrom('+', '-'), two(25), fc.constantFrom(':', ''), two(61))
        .map((parts) => parts.join('')),
    )
    const time = fc
      .tuple(
        fc.constantFrom('T', ' ', 't'),
        two(25),
        fc.constant(':'),
        two(61),
        optional(two(61).map((second) => `:${second}`)),
        optional(fraction),
        optional(zone),
      )
      .map((parts) => parts.join(''))
    const year = fc.constantFrom('0000', '0001', '1900', '2000', '2024', '2025', '9999')
    const date = fc.tuple(year, two(13), two(32)).map((parts) => parts.join('-'))
    const texts = fc.sample(
      fc.tuple(date, optional(time)).map((parts) => parts.join('')),
      4000,
    )
    texts.push('', '2026-01-01\n', '2026-01-01T1011', '2026-01-01T10:1112', ' 2026-01-01', '٢٠٢٦-٠١-٠١')
    assert.deepEqual(await call('kura_instant', texts), texts.map(instantOf))
  })

  test('read numbers as the reference does', async () => {
    const texts = fc.sample(
      fc.oneof(fc.double().map(String), fc.stringMatching(/^[+-]?[0-9.eE]{0,12}$/)),
      2000,
    )
    texts.push('1e99', '1e100', '00012', '+0', '-0', '٣', '1\n')
    const plain = (number: number | null) => (number === 0 ? 0 : number)
    assert.deepEqual(
      (await call<number | null>('kura_number', texts)).map(plain),
      texts.map(numberOf).map(plain),
    )
  })

  test('make the sort text of the reference', async () => {
    const values = fc.sample(fc.jsonValue({ maxDepth: 1 }), 1000).map((value) => JSON.stringify(value))
    const given = values.filter((json) => !json.includes('\\u0000') && !/\\ud[89a-f]/.test(json))
    given.push(JSON.stringify('É'.repeat(600)), JSON.stringify('😀'.repeat(600)))
    const found = await sql<{ result: string }>`select kura_sort_text(source::jsonb) as result
      from unnest(${given}::text[]) with ordinality as given(source, place) order by place`.execute(db)
    assert.deepEqual(
      found.rows.map(({ result }) => result),
      given.map((json) => sortText(JSON.parse(json))),
    )
  })

  test('follow paths as the reference does', async () => {
    const record = { a: [{ b: [1, { c: 2 }] }, { b: 'x' }, [{ b: 3 }]], d: { e: null }, '0': { '1': 'z' } }
    const paths: Path[] = [
      ['a', 'b'],
      ['a', 0, 'b', 1],
      ['a', 'b', 'c'],
      ['a', 2, 'b'],
      ['a', 9],
      ['d', 'e'],
      ['d', 0],
      ['0', '1'],
      [],
      ['x', 'y'],
    ]
    for (const path of paths) {
      const found = await sql<{
        v: string
      }>`select v from kura_values(${JSON.stringify(record)}::jsonb, ${JSON.stringify(path)}::jsonb) as v`.execute(
        db,
      )
      assert.deepEqual(
        found.rows.map(({ v }) => JSON.parse(v)),
        valuesAt(record, path),
        path.join('.'),
      )
    }
  })
})

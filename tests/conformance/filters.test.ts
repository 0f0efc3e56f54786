import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { type Expression, type SqlBool, sql } from 'kysely'
import { documentField } from '../../src/core/filters/document-fields.ts'
import { evaluateFilter } from '../../src/core/filters/evaluate.ts'
import type { CaseProfile } from '../../src/core/filters/options.ts'
import { parseFilter } from '../../src/core/filters/parse.ts'
import { firstValues } from '../../src/core/filters/path.ts'
import { matchesSearch, parseSearch, stringLeaves } from '../../src/core/filters/search.ts'
import { compareBy, sortText } from '../../src/core/filters/sort-order.ts'
import type { Db } from '../../src/platform/db/db.ts'
import { compileFilter } from '../../src/platform/db/filters/compile.ts'
import { createFieldIndex } from '../../src/platform/db/filters/field-index.ts'
import { compileSearch } from '../../src/platform/db/filters/search.ts'
import { compileSort } from '../../src/platform/db/filters/sort.ts'
import {
  createRows,
  type FilterRow,
  fields,
  filterRow,
  filters,
  recordOf,
  targetOf,
  texts,
} from '../support/filter-rows.ts'
import { DIALECTS, testDb } from '../support/test-db.ts'

const RUNS = Number(process.env.KURA_TEST_FILTER_RUNS ?? 300)

if (!DIALECTS.includes('postgres'))
  test('filters on PostgreSQL', { skip: 'KURA_TEST_POSTGRES_URL names no server' }, () => undefined)

for (const dialect of DIALECTS) {
  describe(`compiled filters on ${dialect}`, () => {
    let opened: Awaited<ReturnType<typeof testDb>>
    let db: Db
    let rows: FilterRow[]

    before(async () => {
      opened = await testDb(dialect)
      db = opened.db
      rows = fc.sample(filterRow, { numRuns: 300, seed: 7 }).map((row, id) => ({ id, ...row }))
      await createRows(db, dialect, rows)
      for (const [i, path] of [['a'], ['b'], ['a', 'b'], ['metadata', 'a']].entries()) {
        const statements = createFieldIndex({
          dialect,
          index_name: `filter_rows_${i}`,
          table: 'filter_rows',
          scope: ['locked'],
          column: 'payload',
          path,
        })
        for (const statement of statements) await statement.execute(db)
      }
    })
    after(() => opened.close())

    const select = async (where: Expression<SqlBool>) => {
      const found = await sql<{ id: number }>`select id from filter_rows where ${where} order by id`.execute(
        db,
      )
      return found.rows.map(({ id }) => id)
    }

    const agree = async (filter: unknown, profile: CaseProfile, indexed: boolean, repeated = 1) => {
      const parsed = parseFilter(filter, { profile })
      if (parsed === null) return
      const expected = rows
        .filter((row) => evaluateFilter(parsed, recordOf(row), documentField))
        .map(({ id }) => id)
      const target = targetOf(dialect, indexed ? new Set(['a', 'b', 'a.b', 'metadata.a']) : undefined)
      // Repeating a filter does not change it, but makes it large enough to be compiled in another way.
      const large = { kind: 'and', children: Array.from({ length: repeated }, () => parsed) } as const
      const found = await select(compileFilter(large, target))
      const wrong = rows.filter(({ id }) => expected.includes(id) !== found.includes(id))
      assert.deepEqual(
        wrong.map(recordOf).slice(0, 1),
        [],
        `${wrong.length} rows differ for ${JSON.stringify(filter)}`,
      )
    }

    test('find exactly what the reference evaluator accepts', async () => {
      const profile = fc.constantFrom<CaseProfile>('management', 'document')
      const repeated = fc.constantFrom(1, 1, 1, 60)
      await fc.assert(fc.asyncProperty(filters, profile, fc.boolean(), repeated, agree), { numRuns: RUNS })
    })

    test('long lists find what short ones find', async () => {
      const values = [
        ...Array.from({ length: 3000 }, (_, i) => `none ${i}`),
        'red',
        5,
        '2026-01-01',
        12345678901234567000,
      ]
      for (const field of ['a', 'tags', 'a.b', 'title', 'size'])
        for (const operator of ['in', 'nin'])
          for (const indexed of [false, true])
            await agree({ field, operator, value: values }, 'document', indexed)
    })

    test('the largest filter that is accepted runs', async () => {
      const operators = ['eq', 'contains', 'gte', 'nin', 'regex']
      const conditions = Array.from({ length: 200 }, (_, i) => ({
        field: `metadata.a.b${i}.c`,
        operator: operators[i % operators.length],
        value: '2026-01-01',
      }))
      for (const kind of ['AND', 'OR', 'NOT']) await agree({ [kind]: conditions }, 'management', false)
      const mixed = ['x', '[', '2026-01-01', '5', 5, 2 ** 60, true, null, [1], { a: 1 }]
      for (const field of ['metadata.a.b.c.a', 'tags.a'.padEnd(900, '.a')])
        await agree(
          { OR: Array.from({ length: 200 }, () => ({ field, operator: 'nin', value: mixed })) },
          'document',
          false,
        )
      let nested: unknown = conditions.slice(0, 20)
      for (let depth = 1; depth < 10; depth++) nested = { NOT: [{ a: depth }, nested] }
      await agree(nested, 'document', true)
    })

    test('searches find what the reference finds', async () => {
      const phrase = fc
        .array(fc.oneof(texts, fc.constantFrom('*', '?', '\\*')), { maxLength: 3 })
        .map((parts) => parts.join(''))
      await fc.assert(
        fc.asyncProperty(phrase, fc.boolean(), async (text, case_sensitive) => {
          const pattern = parseSearch(text, { case_sensitive })
          if (!pattern) return
          const matching = (strings: (row: FilterRow) => Iterable<string>) =>
            rows
              .filter((row) => [...strings(row)].some((value) => matchesSearch(pattern, value)))
              .map(({ id }) => id)
          const titles = matching(({ title }) => (title === null ? [] : [title]))
          assert.deepEqual(
            await select(compileSearch(pattern, [{ kind: 'text', column: 'title' }], dialect)),
            titles,
          )
          const folded = compileSearch(
            pattern,
            [{ kind: 'text', column: 'title', folded: 'title_folded' }],
            dialect,
          )
          assert.deepEqual(await select(folded), titles)
          assert.deepEqual(
            await select(compileSearch(pattern, [{ kind: 'leaves', column: 'payload' }], dialect)),
            matching(({ payload }) => stringLeaves(payload)),
          )
          assert.deepEqual(
            await select(compileSearch(pattern, [{ kind: 'members', column: 'payload' }], dialect)),
            matching(({ payload }) => Object.values(payload).filter((value) => typeof value === 'string')),
          )
        }),
        { numRuns: RUNS / 4 },
      )
    })

    const sortFields = fields.filter((field) => !/title|headline/.test(field))
    const sortKey = fc.record({
      field: sortFields,
      direction: fc.constantFrom('asc' as const, 'desc' as const),
    })

    test('sorts order as the reference does, and a cursor continues where it stands', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(sortKey, { maxLength: 2 }), fc.nat(299), async (keys, place) => {
          const compare = compareBy(keys, documentField)
          const expected = rows
            .toSorted((a, b) => compare(recordOf(a), recordOf(b)) || a.id - b.id)
            .map(({ id }) => id)
          const {
            order_by,
            keys: columns,
            after,
          } = compileSort(keys, targetOf(dialect), sql`cast(1000 + id as text)`)
          const named = columns.map((column, i) => sql`, ${column} as ${sql.ref(`key_${i}`)}`)
          const read = (where: Expression<SqlBool>) =>
            sql<Record<string, string | number | null> & { id: number }>`select id ${sql.join(named, sql``)}
              from filter_rows where ${where} order by ${sql.join(order_by)}`.execute(db)
          const all = (await read(sql`1 = 1`)).rows
          assert.deepEqual(
            all.map(({ id }) => id),
            expected,
          )
          const row = all[place]!
          const position = { keys: columns.map((_, i) => row[`key_${i}`] ?? null), id: String(1000 + row.id) }
          assert.deepEqual(
            (await read(after(position))).rows.map(({ id }) => id),
            expected.slice(place + 1),
          )
        }),
        { numRuns: RUNS / 4 },
      )
    })

    test('text columns sort folded, then by code point, nulls last', async () => {
      for (const field of ['title', 'headline'])
        for (const direction of ['asc', 'desc'] as const) {
          const { order_by } = compileSort([{ field, direction }], targetOf(dialect), sql`cast(id as text)`)
          const found = await sql<{
            title: string | null
          }>`select title from filter_rows order by ${sql.join(order_by)}`.execute(db)
          const asText = ({ title }: { title: string | null }) =>
            title === null ? {} : { title: `~${title}` }
          const compare = compareBy([{ field: 'title', direction }])
          assert.deepEqual(
            found.rows.map(({ title }) => title),
            found.rows.toSorted((a, b) => compare(asText(a), asText(b))).map(({ title }) => title),
          )
        }
    })

    test('the sort text of SQL is that of the reference', async () => {
      const value =
        dialect === 'sqlite' ? sql`kura_sort_text('["a"]', payload)` : sql`kura_sort_text(payload -> 'a')`
      const found = await sql<{
        id: number
        text: string | null
      }>`select id, ${value} as text from filter_rows`.execute(db)
      for (const { id, text } of found.rows) {
        const [a] = firstValues(rows[id]!.payload, [['a']])
        assert.equal(text, sortText(a))
      }
    })
  })
}

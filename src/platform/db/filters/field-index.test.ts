import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sql } from 'kysely'
import { DIALECTS, testDb } from '../../../../tests/support/test-db.ts'
import { documentField } from '../../../core/filters/document-fields.ts'
import { parseFilter } from '../../../core/filters/parse.ts'
import type { Db } from '../db.ts'
import { compileFilter } from './compile.ts'
import { createFieldIndex, documentIndexPaths, isIndexablePath } from './field-index.ts'
import { tableFields } from './target.ts'

const ROWS = 20_000

test('only names that are harmless inside SQL can be indexed', () => {
  assert.ok(isIndexablePath(['metadata', 'brand-name']))
  for (const path of [[], [''], ["a'b"], ['a"b'], ['a', 0], ['a b'], ['é']]) assert.ok(!isIndexablePath(path))
  assert.throws(() =>
    createFieldIndex({ dialect: 'sqlite', index_name: 'i', table: 't', scope: [], column: 'c', path: ["'"] }),
  )
})

test('an index on a document field covers it with and without metadata', () => {
  const both = [['brand'], ['metadata', 'brand']]
  assert.deepEqual(documentIndexPaths('brand'), both)
  assert.deepEqual(documentIndexPaths('metadata.brand'), both)
})

for (const dialect of DIALECTS) {
  describe(`payload indexes on ${dialect}`, () => {
    let opened: Awaited<ReturnType<typeof testDb>>
    let db: Db

    before(async () => {
      opened = await testDb(dialect)
      db = opened.db
      const json = dialect === 'sqlite' ? sql`text` : sql`jsonb`
      await sql`create table indexed (id integer primary key, scope text not null, payload ${json} not null)`.execute(
        db,
      )
      for (let from = 0; from < ROWS; from += 1000) {
        const rows = Array.from({ length: 1000 }, (_, i) => rowOf(from + i))
        await sql`insert into indexed (id, scope, payload) values ${sql.join(rows)}`.execute(db)
      }
      for (const path of [...documentIndexPaths('ref'), ...documentIndexPaths('count')]) {
        const index_name = `indexed_${path.join('_')}`
        const index = { dialect, index_name, table: 'indexed', scope: ['scope'], column: 'payload', path }
        for (const statement of createFieldIndex(index)) await statement.execute(db)
      }
      await sql`analyze indexed`.execute(db)
    })
    after(() => opened.close())

    const rowOf = (i: number) =>
      sql`(${i}, 's', ${JSON.stringify({ ref: i % 100 === 0 ? [`r${i}`, 'x'] : `r${i}`, count: i, filler: 'x'.repeat(200) })})`

    const where = (filter: unknown) =>
      sql`scope = 's' and ${compileFilter(parseFilter(filter, { profile: 'document' }), {
        dialect,
        field_paths: documentField,
        locate: tableFields({ columns: {}, rest: { column: 'payload', is_object: true } }),
        indexed_fields: new Set(['ref', 'metadata.ref', 'count', 'metadata.count']),
      })}`

    const found = async (filter: unknown) => {
      const { rows } = await sql<{
        id: number
      }>`select id from indexed where ${where(filter)} order by id`.execute(db)
      return rows.map(({ id }) => id)
    }

    const plan = async (filter: unknown) => {
      const explain = dialect === 'sqlite' ? sql`explain query plan` : sql`explain`
      const { rows } = await sql<
        Record<string, string>
      >`${explain} select id from indexed where ${where(filter)}`.execute(db)
      return rows.map((row) => row.detail ?? row['QUERY PLAN']).join('\n')
    }

    const EXPECTED: [filter: unknown, ids: number[]][] = [
      [{ ref: 'r7' }, [7]],
      [{ ref: 'r700' }, [700]],
      [{ ref: ['r7', 'r8', 'none'] }, [7, 8]],
      [{ count: 5 }, [5]],
      [{ count: '5' }, [5]],
      [{ ref: '2026-01-01' }, []],
    ]

    test('serve equality, with arrays and numerals found as without it', async () => {
      for (const [filter, ids] of EXPECTED) {
        assert.deepEqual(await found(filter), ids, JSON.stringify(filter))
        assert.doesNotMatch(await plan(filter), /SCAN indexed|Seq Scan/, JSON.stringify(filter))
      }
    })

    if (dialect === 'sqlite')
      test('serve ranges and the metadata prefix', async () => {
        for (const [filter, ids] of [
          [{ count: { lt: 3 } }, [0, 1, 2]],
          [{ count: { gte: 19_998 } }, [19_998, 19_999]],
          [{ 'metadata.ref': 'r7' }, [7]],
        ] as const) {
          assert.deepEqual(await found(filter), ids)
          assert.doesNotMatch(await plan(filter), /SCAN indexed/, JSON.stringify(filter))
        }
      })
  })
}

import assert from 'node:assert/strict'
import test from 'node:test'
import {
  DummyDriver,
  type Expression,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type SqlBool,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { candidateField, documentField } from '../../../core/filters/document-fields.ts'
import { parseFilter } from '../../../core/filters/parse.ts'
import { parseSearch } from '../../../core/filters/search.ts'
import type { Dialect } from '../db.ts'
import { compileFilter } from './compile.ts'
import { compileSearch } from './search.ts'
import { compileSort } from './sort.ts'
import { type FilterTarget, tableFields } from './target.ts'

const COMPILERS = {
  sqlite: new Kysely<unknown>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  }),
  postgres: new Kysely<unknown>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  }),
}

const target = (dialect: Dialect, indexed_fields?: ReadonlySet<string>): FilterTarget => ({
  dialect,
  field_paths: documentField,
  locate: tableFields({
    columns: { name: { column: 'name', type: 'text', required: true, folded: 'name_folded' } },
    json: { tags: { column: 'tags' } },
    rest: { column: 'payload', is_object: true },
  }),
  ...(indexed_fields && { indexed_fields }),
})

function sqlOf(expression: Expression<SqlBool>, dialect: Dialect) {
  return sql`${expression}`.compile(COMPILERS[dialect])
}

const compiled = (filter: unknown, dialect: Dialect, indexed?: string[]) =>
  sqlOf(
    compileFilter(parseFilter(filter, { profile: 'document' }), target(dialect, indexed && new Set(indexed))),
    dialect,
  )

const HOSTILE = `x'; drop table users; -- " \\ $1 ?`

for (const dialect of ['sqlite', 'postgres'] as const) {
  test(`text of a client never becomes SQL on ${dialect}`, () => {
    for (const operator of ['eq', 'ne', 'gt', 'in', 'contains', 'starts_with', 'ends_with', 'regex', 'text'])
      for (const field of [HOSTILE, `metadata.${HOSTILE}`, `tags.${HOSTILE}`, `a[0].${HOSTILE}`, 'name']) {
        const value = operator === 'regex' ? 'drop table' : HOSTILE
        const { sql: text, parameters } = compiled({ field, operator, value }, dialect, [HOSTILE, 'a'])
        assert.ok(!text.includes('drop'), text)
        assert.ok(parameters.length > 0)
      }
    const pattern = parseSearch(`${HOSTILE}*`)!
    assert.ok(
      !sqlOf(compileSearch(pattern, [{ kind: 'leaves', column: 'payload' }], dialect), dialect).sql.includes(
        'drop',
      ),
    )
    const sort = compileSort([{ field: HOSTILE, direction: 'asc' }], target(dialect), 'id')
    for (const expression of sort.order_by)
      assert.ok(!sqlOf(expression as Expression<SqlBool>, dialect).sql.includes('drop'))
    assert.ok(!sqlOf(sort.after({ keys: [HOSTILE], id: HOSTILE }), dialect).sql.includes('drop'))
  })
}

test('no filter restricts nothing, and an unknown field matches nothing', () => {
  const only = (filter: unknown) =>
    sqlOf(
      compileFilter(parseFilter(filter, { profile: 'management' }), {
        dialect: 'sqlite',
        locate: () => null,
      }),
      'sqlite',
    ).sql
  assert.equal(only({}), '(1 = 1)')
  assert.equal(only({ nowhere: 5 }), '(1 = 0)')
})

test('equality with a text column is plain, so that an index serves it', () => {
  assert.deepEqual(compiled({ name: 'x' }, 'sqlite'), {
    ...compiled({ name: 'x' }, 'sqlite'),
    sql: '"name" = ?',
    parameters: ['x'],
  })
  assert.equal(compiled({ name: 'x' }, 'postgres').sql, '"name" = $1::text')
})

test('a folded column is compared instead of folding each row', () => {
  const { sql: text, parameters } = compiled({ name: 'ÉX', case_sensitive: false }, 'sqlite')
  assert.equal(text, '"name_folded" = ?')
  assert.deepEqual(parameters, ['éx'])
})

test('a JSON field without an index binds its path', () => {
  const { sql: text, parameters } = compiled({ brand: 'Acme' }, 'sqlite')
  assert.match(
    text,
    /^\(json_extract\("payload", \?\) = \? or \(json_type\("payload", \?\) = 'array' and kura_test\(/,
  )
  assert.deepEqual(parameters.slice(0, 3), ['$."brand"', 'Acme', '$."brand"'])
})

test('an indexed field is written as the expression of its index', () => {
  assert.match(
    compiled({ brand: 'Acme' }, 'sqlite', ['brand']).sql,
    /json_extract\("payload", '\$\."brand"'\) = \?/,
  )
  assert.match(
    compiled({ brand: 'Acme' }, 'postgres', ['brand']).sql,
    /kura_keys\(\("payload" -> 'brand'\)\) && \$1::text\[\]/,
  )
})

test('the largest filters keep within the parameters that a statement may have', () => {
  const value = ['x', '[', '2026-01-01', '5', 5, 2 ** 60, true, null, [1], { a: 1 }]
  const filter = (conditions: number) => ({
    OR: Array.from({ length: conditions }, () => ({ field: 'metadata.content', operator: 'in', value })),
  })
  for (const [dialect, parameters_max] of [
    ['sqlite', 32_766],
    ['postgres', 65_535],
  ] as const)
    for (const conditions of [50, 200]) {
      const node = parseFilter(filter(conditions), { profile: 'document' })
      const indexed_fields = new Set(['content', 'text', 'title', 'metadata.content'])
      const all = { ...target(dialect, indexed_fields), field_paths: candidateField }
      const { parameters } = sqlOf(compileFilter(node, all), dialect)
      assert.ok(parameters.length < parameters_max, `${parameters.length} on ${dialect}`)
    }
})

test('a cursor of another order is refused before it reaches the database', () => {
  const sort = compileSort(
    [
      { field: 'name', direction: 'asc' },
      { field: 'a', direction: 'desc' },
    ],
    target('postgres'),
    'id',
  )
  assert.doesNotThrow(() => sort.after({ keys: ['x', 'X', null], id: 'i' }))
  for (const position of [
    { keys: ['x'], id: 'i' },
    { keys: ['x', 'X', 5], id: 'i' },
    { keys: ['x', 'X', 'a\0'], id: 'i' },
    { keys: ['x', 'X', null], id: 'i\0' },
  ])
    assert.throws(() => sort.after(position), { code: 'cursor_invalid' })
})

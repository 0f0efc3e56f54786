import fc from 'fast-check'
import { type RawBuilder, sql } from 'kysely'
import { documentField } from '../../src/core/filters/document-fields.ts'
import { foldCase } from '../../src/core/filters/fold.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import type { Db, Dialect } from '../../src/platform/db/db.ts'
import { type FilterTarget, tableFields } from '../../src/platform/db/filters/target.ts'

/** A row of the table on which compiled filters are compared with the reference. */
export type FilterRow = {
  id: number
  payload: JsonObject
  internal: JsonObject
  tags: JsonValue
  title: string | null
  size: number | null
  locked: boolean | null
  created_at: string | null
}

/** The record that the reference evaluates: null columns are missing fields. */
export function recordOf({ payload, internal, tags, title, size, locked, created_at }: FilterRow): unknown {
  return {
    ...payload,
    tags,
    ...(title !== null && { title, headline: title }),
    ...(size !== null && { size }),
    ...(locked !== null && { locked }),
    _internal: { ...internal, ...(created_at !== null && { created_at }) },
  }
}

export const targetOf = (dialect: Dialect, indexed_fields?: ReadonlySet<string>): FilterTarget => ({
  dialect,
  field_paths: documentField,
  locate: tableFields({
    columns: {
      title: { column: 'title', type: 'text' },
      headline: { column: 'title', type: 'text', folded: 'title_folded' },
      size: { column: 'size', type: 'number' },
      locked: { column: 'locked', type: 'boolean' },
      '_internal.created_at': { column: 'created_at', type: 'instant' },
    },
    json: { tags: { column: 'tags' }, _internal: { column: 'internal', is_object: true } },
    rest: { column: 'payload', is_object: true },
  }),
  ...(indexed_fields && { indexed_fields }),
})

export async function createRows(db: Db, dialect: Dialect, rows: readonly FilterRow[]): Promise<void> {
  const types =
    dialect === 'sqlite'
      ? { json: sql`text`, text: sql`text`, number: sql`real` }
      : { json: sql`jsonb`, text: sql`text collate "C"`, number: sql`float8` }
  await sql`create table filter_rows (id integer primary key, payload ${types.json}, internal ${types.json},
    tags ${types.json}, title ${types.text}, title_folded ${types.text}, size ${types.number}, locked integer,
    created_at ${types.text})`.execute(db)
  for (let i = 0; i < rows.length; i += 100) {
    const values = sql.join(rows.slice(i, i + 100).map(valuesOf))
    await sql`insert into filter_rows (id, payload, internal, tags, title, title_folded, size, locked, created_at)
      values ${values}`.execute(db)
  }
}

function valuesOf({
  id,
  payload,
  internal,
  tags,
  title,
  size,
  locked,
  created_at,
}: FilterRow): RawBuilder<unknown> {
  const folded = title === null ? null : foldCase(title)
  return sql`(${id}, ${JSON.stringify(payload)}, ${JSON.stringify(internal)}, ${JSON.stringify(tags)}, ${title},
    ${folded}, ${size}, ${locked === null ? null : Number(locked)}, ${created_at})`
}

/** Text at which implementations are known to part: case, composition, numerals, dates, JSON, wildcards. */
export const texts = fc.constantFrom(
  ...[
    '',
    'x',
    'X',
    'xy',
    'red',
    'Red',
    'É',
    'é',
    'e\u0301',
    'e',
    'ß',
    'ẞ',
    'ss',
    '\u212A',
    'K',
    'k',
    'ς',
    'Σ',
    'İ',
    'i',
  ],
  ...[
    '5',
    '5.0',
    '05',
    '-1',
    '+5',
    '1e2',
    '100',
    '1',
    '0',
    '0.1',
    '.5',
    ' 5',
    '9007199254740993',
    '99999999999999999999999',
  ],
  ...[
    '2026-01-01',
    '2026-01-01T00:00:00Z',
    '2026-01-01T01:00:00.5+01:00',
    '2025-12-31 23:30',
    '2026-02-30',
    '2024-02-29',
  ],
  ...[
    '9999-12-31T23:59:59-00:01',
    '0001-01-01',
    '2026-01-01T00:00:00.000000Z',
    '2026-01-01t00:00:00.000000z',
    '2026',
  ],
  ...[
    '[1]',
    '{"a":1}',
    '[',
    'true',
    'null',
    '100%',
    'a_b',
    'a\\b',
    "o'clock",
    '"',
    '$',
    'a.b',
    'line\nbreak',
    '\t',
  ],
  ...[
    'the quick brown fox',
    'The QUICK fox!',
    'quick-fox',
    'über straße',
    'Ünder',
    '😀',
    '\uFFFD',
    '漢字 かな',
    'a\u0301b',
  ],
)

const numbers = fc.constantFrom(
  ...[
    0,
    1,
    -1,
    5,
    5.5,
    100,
    0.1,
    -0.25,
    1e21,
    1e-7,
    2 ** 53,
    2 ** 53 + 2,
    12345678901234567000,
    -(2 ** 60),
    0.30000000000000004,
  ],
)

const scalars: fc.Arbitrary<JsonValue> = fc.oneof(
  { weight: 6, arbitrary: texts },
  { weight: 3, arbitrary: numbers },
  fc.boolean(),
  fc.constant(null),
)

const names = fc.constantFrom('a', 'b', 'c', 'metadata', '0', 'x y', 'k"q', "k'q", 'back\\slash', 'é', 'lat')

const point = fc.record({
  lat: fc.constantFrom(0, 10, 52.5, 91, -90, '5'),
  lon: fc.constantFrom(0, 13.4, 179, -179, 181, null),
}) as fc.Arbitrary<JsonObject>

const { value } = fc.letrec<{ value: JsonValue; list: JsonValue[]; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { weight: 6, arbitrary: scalars },
    { weight: 2, arbitrary: tie('list') },
    { weight: 2, arbitrary: tie('object') },
    { weight: 1, arbitrary: point },
  ),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(names, tie('value'), { maxKeys: 3 }),
}))

const instants = fc.constantFrom(
  '2026-01-01T00:00:00.000000Z',
  '2026-01-01T00:00:00.500000Z',
  '2025-12-31T23:30:00.000000Z',
  '2024-02-29T00:00:00.000000Z',
)

export const filterRow = fc.record({
  payload: fc.dictionary(names, value, { maxKeys: 4 }) as fc.Arbitrary<JsonObject>,
  internal: fc.dictionary(fc.constantFrom('modality', 'lineage', 'a'), value, {
    maxKeys: 2,
  }) as fc.Arbitrary<JsonObject>,
  tags: value,
  title: fc.option(texts),
  size: fc.option(numbers.filter((number) => Math.abs(number) < 2 ** 53)),
  locked: fc.option(fc.boolean()),
  created_at: fc.option(instants),
})

const step = fc.oneof(
  { weight: 6, arbitrary: names },
  {
    weight: 1,
    arbitrary: fc.tuple(names, fc.constantFrom('[0]', '[1]', '[0][0]')).map((parts) => parts.join('')),
  },
)

export const fields = fc
  .oneof(
    { weight: 6, arbitrary: fc.array(step, { minLength: 1, maxLength: 3 }).map((steps) => steps.join('.')) },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        ...[
          'title',
          'title.folded',
          'size',
          'locked',
          'created_at',
          'metadata.title',
          'metadata.created_at',
          'modality',
        ],
        ...[
          'tags',
          'tags.a',
          'tags[0]',
          'tags[1].b',
          '_internal.a',
          '_internal.lineage.path',
          'root_object_id',
          '',
          'a..b',
          'a\0b',
        ],
      ),
    },
  )
  .filter((field) => field !== '')

const operand = fc.oneof({ weight: 8, arbitrary: scalars }, { weight: 1, arbitrary: value })

const patterns = fc.constantFrom(
  ...[
    'x',
    '^x',
    'y$',
    '^.$',
    '.',
    '[a-z]+',
    '[^a-z]',
    '\\d',
    '^\\D+$',
    '\\bfox\\b',
    '\\Bo',
    '\\s',
    '(?i)RED',
    'r(e|x)d',
  ],
  ...[
    'É',
    'é',
    '[À-Þ]',
    '\\p{Greek}',
    '\\PL',
    '^\\pL+$',
    '[[:upper:]]',
    '(?s)e.b',
    'e.b',
    '(?m)^break$',
    '\\x{1F600}',
    'k',
  ],
  ...[
    '^(?:a|b|)+$',
    '^x{1,300}$',
    '\\Q[1]\\E',
    '^\\w+$',
    'ſ',
    '\\.',
    '',
    '^$',
    '(?-i)red',
    '(?i:QUICK) fox',
    '[\\d_]',
    'x*y',
    '[^\\w\\s]',
  ],
)

/** One condition in the spelling of the contract. */
const condition = fc.oneof(
  fc.record({ field: fields, operator: fc.constantFrom('eq', 'ne'), value: operand }),
  fc.record({ field: fields, operator: fc.constantFrom('gt', 'gte', 'lt', 'lte'), value: scalars }),
  fc.record({
    field: fields,
    operator: fc.constantFrom('in', 'nin'),
    value: fc.array(operand, { maxLength: 4 }),
  }),
  fc.record({
    field: fields,
    operator: fc.constant('contains'),
    value: fc.oneof(texts, fc.array(operand, { maxLength: 2 })),
  }),
  fc.record({ field: fields, operator: fc.constantFrom('starts_with', 'ends_with', 'text'), value: texts }),
  fc.record({ field: fields, operator: fc.constant('regex'), value: patterns }),
  fc.record({ field: fields, operator: fc.constantFrom('exists', 'is_null'), value: fc.boolean() }),
  fc.record({
    field: fields,
    operator: fc.constant('geo_radius'),
    value: fc.constantFrom(
      { center: { lat: 50, lon: 10 }, radius: 400_000 },
      { center: { lat: 0, lon: 180 }, radius: 2_000_000 },
    ),
  }),
  fc.record({
    field: fields,
    operator: fc.constant('geo_bounding_box'),
    value: fc.constantFrom(
      { top_left: { lat: 60, lon: 0 }, bottom_right: { lat: 0, lon: 20 } },
      { top_left: { lat: 90, lon: 170 }, bottom_right: { lat: -90, lon: -170 } },
    ),
  }),
)

const { node } = fc.letrec<{ node: JsonObject; group: JsonObject }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 5, arbitrary: condition as unknown as fc.Arbitrary<JsonObject> },
    { weight: 2, arbitrary: tie('group') },
  ),
  group: fc
    .tuple(
      fc.constantFrom('AND', 'OR', 'NOT'),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
      fc.constantFrom(null, true, false),
    )
    .map(([kind, children, case_sensitive]) => ({ [kind]: children, case_sensitive })),
}))

/** Filters as clients send them. */
export const filters = node

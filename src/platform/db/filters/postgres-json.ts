import { createHash } from 'node:crypto'
import { type Expression, type SqlBool, sql } from 'kysely'
import type { Test } from '../../../core/filters/ast.ts'
import { EARTH_RADIUS_M, type GeoBox, type GeoCircle } from '../../../core/filters/geo.ts'
import type { Path } from '../../../core/filters/path.ts'
import { numberText } from '../../../core/filters/sort-order.ts'
import type { ValueSet } from '../../../core/filters/value-set.ts'
import type { JsonSql } from './compile.ts'
import { isIndexablePath, postgresValue } from './field-index.ts'
import { INDEXED_TEXT_MAX } from './postgres-functions.ts'
import { postgresScalar as scalar } from './postgres-scalar.ts'
import { numberTest, textTest, valueSet } from './scalar-tests.ts'
import { allOf, anyOf, type Bool, FALSE, TRUE } from './sql.ts'
import { isInline, type JsonSource, refer } from './target.ts'

type Json = Expression<unknown>

/** Values in jsonb columns. Where arrays stand on the way, the function `kura_values` collects the values. */
export const postgresJson: JsonSql = {
  present(source) {
    return atValues(source, (value) => sql<SqlBool>`${value} is not null`, TRUE)
  },

  matches(source, test, indexed) {
    const passes = atValues(source, (value) => valueTest(value, test))
    return [indexed ? allOf([...keyTest(source, test), passes]) : passes]
  },
}

/**
 * Applies a test to what the path leads to: directly where it can lead to one value only, else to
 * each of the values.
 */
function atValues(source: JsonSource, test: (value: Json) => Bool, each = test(sql`v`)): Bool {
  if (!isStorable(source.path)) return FALSE
  const any = sql<SqlBool>`exists (select 1 from ${valuesOf(source)} as v where ${each})`
  return sql<SqlBool>`${oneOrSeveral(source, test, any)}`
}

/** Applies `one` where the path can lead to one value only, as it does unless there is an array on the way. */
function oneOrSeveral(
  source: JsonSource,
  one: (value: Json) => Expression<unknown>,
  several: Expression<unknown>,
): Expression<unknown> {
  const { column, path, is_object = false } = source
  if (!isInline(source) || path.some((step) => typeof step === 'number')) return several
  const json = refer(column)
  const arrays = path.flatMap((_step, i) =>
    i === 0 && is_object ? [] : [sql<SqlBool>`jsonb_typeof(${member(json, path.slice(0, i))}) = 'array'`],
  )
  const direct = one(member(json, path))
  return arrays.length === 0 ? direct : sql`(case when ${anyOf(arrays)} then ${several} else ${direct} end)`
}

/** In its lax mode a JSON path steps into arrays just as `valuesAt` does; but it takes `[0]` of what is no array. */
function valuesOf({ column, path }: JsonSource): Expression<unknown> {
  const json = refer(column)
  if (path.some((step) => typeof step === 'number'))
    return sql`kura_values(${json}, ${JSON.stringify(path)}::jsonb)`
  const jsonPath = `$${path.map((name) => `.${JSON.stringify(name)}`).join('')}`
  return sql`jsonb_path_query(${json}, ${jsonPath}::jsonpath)`
}

const isStorable = (path: Path) => path.every((step) => typeof step === 'number' || scalar.storable(step))

/** `sortText` of the first value at a path. */
export function postgresSortText(source: JsonSource): Expression<unknown> {
  if (!isStorable(source.path)) return sql`null::text`
  const first = sql`kura_sort_text((select v from ${valuesOf(source)} as v limit 1))`
  return oneOrSeveral(source, (value) => sql`kura_sort_text(${value})`, first)
}

/** Unlike `#>`, `->` with a text never takes it for a position in an array. */
function member(json: Json, path: Path): Json {
  if (path.length === 0) return json
  return sql`(${json}${sql.join(
    path.map((step) => sql` -> ${step}::text`),
    sql``,
  )})`
}

/** A value that is there: an array passes by its elements. CASE keeps casts away from values of other types. */
function valueTest(value: Json, test: Test): Bool {
  const array = test.operator === 'contains' ? containsAll(value, test) : anyElement(value, test)
  return cases(value, [...scalarArms(value, test), ['array', array]])
}

function anyElement(value: Json, test: Test): Bool {
  const element = elementTest(test)
  return anyOf([...(element === FALSE ? [] : [elementsOf(value, element)]), ...composites(value, test)])
}

/** A row of `jsonb_array_elements`. An array within an array passes only as a whole. */
function elementTest(test: Test): Bool {
  const element = sql`e`
  return cases(element, [...scalarArms(element, test), ['array', anyOf(composites(element, test))]])
}

const elementsOf = (value: Json, test: Bool): Bool =>
  sql<SqlBool>`exists (select 1 from jsonb_array_elements(${value}) as e where ${test})`

/** Each of the wanted values equals some element. */
function containsAll(value: Json, { value: wanted, fold }: Extract<Test, { operator: 'contains' }>): Bool {
  return allOf(
    wanted.map((one) => {
      const equals: Test = { operator: 'in', value: [one], fold, negated: false }
      return elementsOf(value, elementTest(equals))
    }),
  )
}

type Arm = [type: 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array', test: Bool]

function cases(value: Json, arms: readonly Arm[]): Bool {
  const possible = arms.filter(([, test]) => test !== FALSE)
  if (possible.length === 0) return FALSE
  const branches = possible.map(([type, test]) => sql`when ${sql.lit(type)} then ${test}`)
  return sql<SqlBool>`(case jsonb_typeof(${value}) ${sql.join(branches, sql` `)} end)`
}

function scalarArms(value: Json, test: Test): Arm[] {
  const text = sql`(${value} #>> '{}')`
  const arms: Arm[] = [
    ['string', textTest(scalar, text, test)],
    ['number', numberTest(scalar, sql`${text}::float8`, test)],
  ]
  if (test.operator === 'in') {
    const { booleans, hasNull } = valueSet(test)
    const flags = [...booleans].map((flag) => sql<SqlBool>`${value} = ${sql.lit(String(flag))}::jsonb`)
    arms.push(['boolean', anyOf(flags)], ['null', hasNull ? TRUE : FALSE])
    arms.push(['object', anyOf(composites(value, test))])
  }
  if (test.operator === 'geo_radius') arms.push(['object', inCircle(value, test.value)])
  if (test.operator === 'geo_bounding_box') arms.push(['object', inBox(value, test.value)])
  return arms
}

function composites(value: Json, test: Test): Bool[] {
  if (test.operator !== 'in') return []
  return [...valueSet(test).composites]
    .filter((json) => !json.includes('\\u0000'))
    .map((json) => sql<SqlBool>`${value} = ${json}::jsonb`)
}

function inCircle(value: Json, { center, radius }: GeoCircle): Bool {
  return sql<SqlBool>`kura_distance(${value}, ${center.lat}::float8, ${center.lon}::float8, ${EARTH_RADIUS_M}::float8) <= ${radius}::float8`
}

function inBox(value: Json, { top_left, bottom_right }: GeoBox): Bool {
  const lat = sql`kura_coordinate(${value}, 'lat', 90)`
  const lon = sql`kura_coordinate(${value}, 'lon', 180)`
  const [left, right] = [sql`${lon} >= ${top_left.lon}::float8`, sql`${lon} <= ${bottom_right.lon}::float8`]
  const across =
    top_left.lon <= bottom_right.lon
      ? sql`${left} and ${right}`
      : sql`(${left} or ${right}) and ${lon} is not null`
  return sql<SqlBool>`(${lat} between ${bottom_right.lat}::float8 and ${top_left.lat}::float8 and ${across})`
}

/**
 * What the GIN index of `createFieldIndex` can answer, as a further condition that every match meets:
 * the index narrows the rows, the exact test decides.
 */
function keyTest({ column, path, is_object }: JsonSource, test: Test): Bool[] {
  if (test.operator !== 'in' || test.fold || !is_object || path.length !== 1 || !isIndexablePath(path))
    return []
  const keys = indexKeys(valueSet(test))
  return keys === null
    ? []
    : [sql<SqlBool>`kura_keys(${postgresValue(sql`${refer(column)}`, path)}) && ${keys}::text[]`]
}

/** The keys that `kura_keys` gives to values which may equal one of the set; null if it gives no key to some. */
function indexKeys(set: ValueSet): string[] | null {
  if (set.hasNull || set.booleans.size > 0 || set.composites.size > 0) return null
  return [
    ...[...set.strings].filter(scalar.storable).map((text) => `s${indexedText(text)}`),
    ...[...set.instants].map((instant) => `i${instant}`),
    ...[...set.numbers].map((number) => `n${numberText(number)}`),
    ...[...set.spelledNumbers].map((number) => `m${numberText(number)}`),
  ]
}

const indexedText = (text: string) =>
  Buffer.byteLength(text) > INDEXED_TEXT_MAX ? createHash('md5').update(text).digest('hex') : text

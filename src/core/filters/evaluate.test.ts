import assert from 'node:assert/strict'
import test from 'node:test'
import { evaluateFilter } from './evaluate.ts'
import type { CaseProfile } from './options.ts'
import { parseFilter } from './parse.ts'

function passes(filter: unknown, record: unknown, profile: CaseProfile = 'retrieval'): boolean {
  const node = parseFilter(filter, { profile })
  return node === null || evaluateFilter(node, record)
}

const yes = (filter: unknown, record: unknown, profile?: CaseProfile) =>
  assert.equal(passes(filter, record, profile), true, JSON.stringify([filter, record]))
const no = (filter: unknown, record: unknown, profile?: CaseProfile) =>
  assert.equal(passes(filter, record, profile), false, JSON.stringify([filter, record]))

test('equality keeps kinds apart, but numbers meet text that spells them', () => {
  yes({ a: 5 }, { a: 5 })
  yes({ a: 5 }, { a: '5.0' })
  yes({ a: '5' }, { a: 5 })
  no({ a: '5' }, { a: '5.0' })
  no({ a: true }, { a: 'true' })
  no({ a: 1 }, { a: true })
  no({ a: 'x' }, { a: { x: 1 } })
})

test('ISO dates are equal as instants', () => {
  yes({ a: '2026-01-01' }, { a: '2026-01-01T01:00:00+01:00' })
  no({ a: '2026-01-01' }, { a: '2026-01-01T01:00:00Z' })
})

test('eq null means null or missing', () => {
  yes({ a: null }, { a: null })
  yes({ a: null }, {})
  yes({ a: null }, { a: [1, null] })
  no({ a: null }, { a: 0 })
  yes({ a: ['x', null] }, {})
})

test('a missing field fails positive operators and passes their complements', () => {
  for (const test of [
    { eq: 1 },
    { gt: 1 },
    { in: [1] },
    { contains: 'x' },
    { starts_with: '' },
    { regex: '' },
    { text: 'word' },
    { exists: true },
  ])
    no({ a: test }, {})
  yes({ a: { ne: 1 } }, {})
  yes({ a: { nin: [1, 2] } }, {})
  yes({ NOT: [{ a: 1 }] }, {})
})

test('ne, nin and NOT are exact complements, also on arrays', () => {
  no({ a: { ne: 1 } }, { a: [1, 2] })
  yes({ a: { ne: 3 } }, { a: [1, 2] })
  no({ a: { nin: [9, 2] } }, { a: [1, 2] })
  no({ NOT: [{ a: 9 }, { a: 2 }] }, { a: [1, 2] })
  yes({ NOT: [{ a: 8 }, { a: 9 }] }, { a: [1, 2] })
})

test('an empty list is in nothing and nin everything', () => {
  no({ a: [] }, { a: 1 })
  no({ a: [] }, {})
  yes({ a: { nin: [] } }, {})
})

test('an array passes by any element, objects in arrays by their members', () => {
  yes({ tags: 'b' }, { tags: ['a', 'b'] })
  yes({ 'authors.name': 'Bob' }, { authors: [{ name: 'Ann' }, { name: 'Bob' }] })
  no({ 'authors[0].name': 'Bob' }, { authors: [{ name: 'Ann' }, { name: 'Bob' }] })
  yes(
    { AND: [{ 'authors.name': 'Ann' }, { 'authors.age': 9 }] },
    {
      authors: [
        { name: 'Ann', age: 1 },
        { name: 'B', age: 9 },
      ],
    },
  )
  yes({ 'blobs.type': ['image', 'video'] }, { blobs: [{ type: 'text' }, { type: 'video' }] })
})

test('a list asked for with eq equals the whole array', () => {
  yes({ field: 'a', operator: 'eq', value: [1, 2] }, { a: [1, 2] })
  no({ field: 'a', operator: 'eq', value: [1, 2] }, { a: [2, 1] })
  yes({ field: 'a', operator: 'eq', value: { x: 1, y: 2 } }, { a: [{ y: 2, x: 1 }] })
})

test('order compares within one kind', () => {
  yes({ a: { gt: 9 } }, { a: 10 })
  yes({ a: { gt: 9 } }, { a: '10' })
  yes({ a: { gt: '9' } }, { a: 10 })
  no({ a: { gt: '9' } }, { a: '10' })
  yes({ a: { gte: '2026-01-01' } }, { a: '2026-01-01T00:00:00Z' })
  no({ a: { gt: '2026-01-01' } }, { a: 'never' })
  yes({ a: { gt: 'm' } }, { a: 'n' })
  no({ a: { gt: 'm' } }, { a: 'N' })
  yes({ a: { gt: 'm' } }, { a: 'N' }, 'management')
  for (const value of [true, null, {}, 'x']) no({ a: { gt: 0 } }, { a: value })
  no({ a: { gte: true } }, { a: true })
  yes({ a: { lt: 5 } }, { a: [9, 4] })
})

test('contains finds substrings of strings and elements of arrays, all of a list', () => {
  yes({ a: { contains: 'ELL' } }, { a: 'hello' })
  yes({ a: { contains: ['he', 'lo'] } }, { a: 'hello' })
  no({ a: { contains: ['he', 'xx'] } }, { a: 'hello' })
  yes({ a: { contains: 'red' } }, { a: ['Red', 'blue'] })
  no({ a: { contains: 're' } }, { a: ['red'] })
  yes({ a: { contains: ['red', 'blue'] } }, { a: ['blue', 'red'] })
  no({ a: { contains: ['red', 'green'] } }, { a: ['blue', 'red'] })
  yes({ 'authors.name': { contains: 'nn' } }, { authors: [{ name: 'Ann' }] })
  yes({ a: { contains: 20 } }, { a: 'in 2026' })
  no({ a: { contains: 1 } }, { a: 123 })
})

test('prefixes, suffixes and patterns fold case unless told otherwise', () => {
  yes({ a: { starts_with: 'É' } }, { a: 'école' })
  no({ a: { starts_with: 'e' } }, { a: 'école' })
  yes({ a: { ends_with: 'LE' } }, { a: 'école' })
  no({ a: { ends_with: 'LE' }, case_sensitive: true }, { a: 'école' })
  yes({ a: { regex: 'É.o' } }, { a: 'une école' })
  no({ a: { regex: 'É' }, case_sensitive: true }, { a: 'é' })
  yes({ a: { regex: '^b$' } }, { a: ['a', 'b'] })
  yes({ a: { starts_with: 'x' } }, { a: [1, 'xy'] })
})

test('a hostile pattern takes linear time', { timeout: 5000 }, () => {
  no({ a: { regex: '(a+)+$' } }, { a: `${'a'.repeat(50_000)}!` })
})

test('text wants all words, in any order and case', () => {
  yes({ a: { text: 'FOX quick' } }, { a: 'The quick brown fox.' })
  no({ a: { text: 'fox slow' } }, { a: 'The quick brown fox.' })
  no({ a: { text: 'qui' } }, { a: 'quick' })
  yes({ a: { text: 'über' } }, { a: 'ÜBER-Maß' })
  no({ a: { text: 'a' } }, { a: 'a b' })
  no({ a: { text: '...' } }, { a: '...' })
  yes({ a: { text: 'of extraordinarilylongword' } }, { a: 'made of' })
  yes({ a: { text: 'quick' }, case_sensitive: true }, { a: 'QUICK' })
})

test('exists tells missing from null, is_null joins them', () => {
  yes({ a: { exists: true } }, { a: null })
  no({ a: { exists: true } }, {})
  yes({ a: { exists: false } }, {})
  no({ a: { exists: false } }, { a: null })
  yes({ a: { exists: true } }, { a: [] })
  yes({ a: { is_null: true } }, { a: null })
  yes({ a: { is_null: true } }, {})
  no({ a: { is_null: true } }, { a: [] })
  yes({ a: { is_null: false } }, { a: 0 })
  no({ a: { is_null: false } }, {})
})

test('management lists ignore case in equality', () => {
  yes({ bucket_name: 'Product-Catalog' }, { bucket_name: 'product-catalog' }, 'management')
  no(
    { bucket_name: 'Product-Catalog', case_sensitive: true },
    { bucket_name: 'product-catalog' },
    'management',
  )
  yes({ a: ['É'] }, { a: 'e\u0301' }, 'management')
  no({ a: 'É' }, { a: 'e' }, 'management')
  no({ a: 'X' }, { a: 'x' })
})

test('geo operators measure on {lat, lon}', () => {
  const berlin = { lat: 52.52, lon: 13.405 }
  const circle = (radius: number) => ({
    at: { geo_radius: { center: { lat: 48.8566, lon: 2.3522 }, radius } },
  })
  yes(circle(880_000), { at: berlin })
  no(circle(870_000), { at: berlin })
  const box = (left: number, right: number) => ({
    at: { geo_bounding_box: { top_left: { lat: 60, lon: left }, bottom_right: { lat: 50, lon: right } } },
  })
  yes(box(10, 20), { at: [berlin] })
  no(box(14, 20), { at: berlin })
  yes(box(170, 20), { at: berlin })
  no(box(10, 20), { at: 'Berlin' })
})

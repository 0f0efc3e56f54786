import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { makeBlob } from '../../../tests/support/blob-entry.ts'
import type { BlobEntry } from '../../core/blob-entry.ts'
import type { JsonObject } from '../../core/json.ts'
import type { PreparedBlob } from './blob-reader.ts'
import { mergeBlobs, mergeFields, sameBlobs } from './merge.ts'

const value = fc.oneof(fc.constant(null), fc.integer(), fc.string(), fc.array(fc.integer(), { maxLength: 2 }))
const members = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'toString', 'constructor'), value, {
  noNullPrototype: true,
})
const fields = fc
  .record({ rest: members, metadata: fc.option(fc.oneof(members, value)) }, { noNullPrototype: true })
  .map(({ rest, metadata }): JsonObject => (metadata === null ? rest : { ...rest, metadata }) as JsonObject)

describe('fields after PUT and PATCH', () => {
  test('given members win, the others stay; null is a value in PUT and removes in PATCH', () => {
    fc.assert(
      fc.property(fields, fields, fc.boolean(), (current, given, null_removes) => {
        const merged = mergeFields(current, given, { null_removes })
        for (const name of new Set([...Object.keys(current), ...Object.keys(given)])) {
          if (name === 'metadata') continue
          const isGiven = Object.hasOwn(given, name)
          if (isGiven && given[name] === null && null_removes) assert.ok(!Object.hasOwn(merged, name))
          else assert.deepEqual(merged[name], isGiven ? given[name] : current[name])
        }
      }),
    )
  })

  test('metadata is merged at its top level by the same rules, and replaced by what is no object', () => {
    fc.assert(
      fc.property(members, members, fc.boolean(), (current, given, null_removes) => {
        const merged = mergeFields({ metadata: current }, { metadata: given }, { null_removes })
        assert.deepEqual(merged.metadata, mergeFields(current, given, { null_removes }))
      }),
    )
    assert.deepEqual(mergeFields({ metadata: { a: 1 } }, { metadata: 7 }, { null_removes: true }), {
      metadata: 7,
    })
  })

  test('merging twice is merging once, and what is given to merge is left as it was', () => {
    fc.assert(
      fc.property(fields, fields, fc.boolean(), (current, given, null_removes) => {
        const before = structuredClone([current, given])
        const once = mergeFields(current, given, { null_removes })
        assert.deepEqual(mergeFields(once, given, { null_removes }), once)
        assert.deepEqual([current, given], before)
      }),
    )
  })
})

const LOC = { loc: ['body'] }
let count = 0
const entry = fc
  .constantFrom('x', 'y', 'z')
  .map((property): BlobEntry => makeBlob(property, 'text', { blob_id: `blob_${count++}` }))
const entries = fc.array(entry, { maxLength: 6 })

describe('blobs after an update', () => {
  test('given blobs replace all of their property, in order and in place; the others stay as they were', () => {
    fc.assert(
      fc.property(entries, entries, (current, given) => {
        const merged = mergeBlobs(current, given.map(asPrepared), LOC)
        const touched = new Set(given.map(({ property }) => property))
        for (const property of ['x', 'y', 'z']) {
          const of = (blobs: readonly BlobEntry[]) => blobs.filter((blob) => blob.property === property)
          assert.deepEqual(of(merged), of(touched.has(property) ? given : current))
        }
        const untouched = (blobs: readonly BlobEntry[]) =>
          blobs.filter(({ property }) => !touched.has(property))
        assert.deepEqual(untouched(merged), untouched(current))
      }),
    )
  })

  test('an object that is sent back with its own blobs is unchanged', () => {
    fc.assert(
      fc.property(entries, (current) => {
        const kept = current.map(
          ({ blob_id, property }): PreparedBlob => ({ kind: 'kept', property, blob_id }),
        )
        const merged = mergeBlobs(current, kept, LOC)
        // Blobs of one property stand together afterwards; none is lost, none is made.
        assert.deepEqual(new Set(merged), new Set(current))
        assert.ok(sameBlobs(mergeBlobs(merged, kept, LOC), merged))
      }),
    )
  })

  test('a kept blob must be one of the object', () => {
    const kept: PreparedBlob = { kind: 'kept', property: 'x', blob_id: 'blob_other' }
    assert.throws(() => mergeBlobs([], [kept], LOC), { code: 'validation_error' })
  })
})

const asPrepared = (entry: BlobEntry): PreparedBlob => ({
  kind: 'entry',
  entry,
  staged: null,
  force_remirror: false,
})

import assert from 'node:assert/strict'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { KuraError } from '../../src/core/errors.ts'
import { type Db, type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { createVectorIndexes, type InProcessIndexes } from '../../src/platform/vectors/in-process-indexes.ts'
import {
  deleteVectorIndexes,
  deleteVectors,
  ensureVectorIndex,
  putVectors,
  readVectors,
  trimVectorChanges,
} from '../../src/platform/vectors/vector-store.ts'
import type { VectorFilter, VectorIndexes, VectorMatch } from '../../src/platform/vectors/vectors.ts'
import { DIALECTS } from '../support/test-db.ts'
import {
  clusteredVectors,
  makeCollection,
  makeDocuments,
  makeVectorIndex,
  SCOPE,
  searchDatabase,
  storeVectors,
} from '../support/vector-rows.ts'

type Fixture = {
  db: Db
  home: string
  indexes: VectorIndexes
  /** Another set of indexes on the same database and home, as a restarted process has it. */
  restart(): Promise<VectorIndexes>
}
type Factory = (options: { database_url: string; home: string }) => VectorIndexes

const code = (expected: string) => (error: unknown) => error instanceof KuraError && error.code === expected

/** Rules that every adapter of the VectorIndexes port keeps. */
export function vectorIndexesSuite(name: string, dialect: Dialect, create: Factory): void {
  async function fixture(t: TestContext): Promise<Fixture> {
    const database = await searchDatabase(dialect)
    let indexes = create({ database_url: database.url, home: database.home })
    t.after(async () => {
      await indexes.close()
      await database.close()
    })
    return {
      db: database.db,
      home: database.home,
      get indexes() {
        return indexes
      },
      async restart() {
        await indexes.close()
        indexes = create({ database_url: database.url, home: database.home })
        return indexes
      },
    }
  }

  const rule = (title: string, run: (t: TestContext, fixture: Fixture) => Promise<void>) =>
    test(`${title} (${name})`, async (t) => run(t, await fixture(t)))

  rule('a search sees every committed write: new, overwritten, deleted', async (_t, { db, indexes }) => {
    await makeCollection(db, 'col_a')
    const id = await makeVectorIndex(db, 2)
    const [one, two] = await makeDocuments(db, 'col_a', [{}, {}])
    const search = () =>
      indexes.search({
        vector_index_id: id,
        vector: Float32Array.of(1, 0),
        top_k: 5,
        collection_ids: ['col_a'],
      })
    assert.deepEqual((await search()).matches, [])
    await storeVectors(db, id, 'col_a', [[one!, [0, 2]]])
    assert.deepEqual((await search()).matches, [{ document_seq: one, score: 0 }])
    await storeVectors(db, id, 'col_a', [
      [one!, [-3, 0]],
      [two!, [5, 0]],
    ])
    assert.deepEqual((await search()).matches, [
      { document_seq: two, score: 1 },
      { document_seq: one, score: -1 },
    ])
    await inTransaction(db, (trx) => deleteVectors(trx, [two!]))
    assert.deepEqual((await search()).matches, [{ document_seq: one, score: -1 }])
    await inTransaction(db, (trx) => deleteVectorIndexes(trx, SCOPE))
    assert.deepEqual((await search()).matches, [])
  })

  rule('a write that was rolled back is never seen', async (_t, { db, indexes }) => {
    await makeCollection(db, 'col_a')
    const id = await makeVectorIndex(db, 2)
    const [seq] = await makeDocuments(db, 'col_a', [{}])
    const write = { vector_index_id: id, document_seq: seq!, collection_id: 'col_a', vector: [1, 0] }
    const failing = inTransaction(db, async (trx) => {
      await putVectors(trx, [write])
      throw new Error('on purpose')
    })
    await assert.rejects(failing, /on purpose/)
    const { matches } = await indexes.search({
      vector_index_id: id,
      vector: Float32Array.of(1, 0),
      top_k: 5,
      collection_ids: ['col_a'],
    })
    assert.deepEqual(matches, [])
  })

  rule('writers at once lose no change, whoever commits first', async (_t, { db, indexes }) => {
    await makeCollection(db, 'col_a')
    const id = await makeVectorIndex(db, 2)
    const seqs = await makeDocuments(
      db,
      'col_a',
      Array.from({ length: 24 }, () => ({})),
    )
    const find = async () => {
      const vector = Float32Array.of(1, 0)
      const search = { vector_index_id: id, vector, top_k: 50, collection_ids: ['col_a'] }
      const { matches } = await indexes.search(search)
      return matches.map(({ document_seq }) => document_seq)
    }
    const write = async (document_seq: number, i: number) => {
      await inTransaction(db, async (trx) => {
        await putVectors(trx, [{ vector_index_id: id, document_seq, collection_id: 'col_a', vector: [1, i] }])
        // Commits in another order than that of the writes, were it not for the lock.
        await new Promise((resolve) => setTimeout(resolve, ((i * 7) % 10) * 5))
      })
      assert.ok((await find()).includes(document_seq), 'a search after the commit sees the document')
    }
    await find() // The index exists before the first change, so it has to follow.
    await Promise.all(seqs.map(write))
    assert.deepEqual((await find()).sort(), seqs.toSorted())
  })

  rule('only the named collections are searched', async (_t, { db, indexes }) => {
    const id = await makeVectorIndex(db, 2)
    for (const collection of ['col_a', 'col_b', 'col_c']) {
      await makeCollection(db, collection)
      const seqs = await makeDocuments(db, collection, [{}, {}])
      await storeVectors(
        db,
        id,
        collection,
        seqs.map((seq) => [seq, [1, 0]]),
      )
    }
    const found = async (collection_ids: string[]) => {
      const vector = Float32Array.of(1, 0)
      const { matches } = await indexes.search({ vector_index_id: id, vector, top_k: 10, collection_ids })
      return matches.map(({ document_seq }) => document_seq)
    }
    assert.equal((await found(['col_a', 'col_b', 'col_c'])).length, 6)
    assert.deepEqual(await found(['col_b']), [3, 4])
    assert.deepEqual(await found(['col_c', 'col_a', 'col_a']), [1, 2, 5, 6])
    assert.deepEqual(await found(['col_unknown']), [])
    assert.deepEqual(await found([]), [])
  })

  rule(
    'equal scores come in the order of their documents, however many there are',
    async (_t, { db, indexes }) => {
      await makeCollection(db, 'col_a')
      const id = await makeVectorIndex(db, 16)
      const seqs = await makeDocuments(
        db,
        'col_a',
        Array.from({ length: 900 }, () => ({})),
      )
      const vector = clusteredVectors(1, 16)[0]!
      await storeVectors(
        db,
        id,
        'col_a',
        seqs.toReversed().map((seq) => [seq, vector]),
      )
      for (const top_k of [1, 10, 300, 900]) {
        const { matches } = await indexes.search({
          vector_index_id: id,
          vector,
          top_k,
          collection_ids: ['col_a'],
        })
        assert.deepEqual(
          matches.map(({ document_seq }) => document_seq),
          seqs.slice(0, top_k),
        )
      }
    },
  )

  rule(
    'vectors and queries that are not finite, or of another length, are refused',
    async (_t, { db, indexes }) => {
      await makeCollection(db, 'col_a')
      const id = await makeVectorIndex(db, 2)
      const [seq] = await makeDocuments(db, 'col_a', [{}])
      const put = (vector: number[]) => storeVectors(db, id, 'col_a', [[seq!, vector]])
      await assert.rejects(put([1, Number.NaN]), code('vector_invalid'))
      await assert.rejects(put([1, Number.POSITIVE_INFINITY]), code('vector_invalid'))
      await assert.rejects(put([1, 0, 0]), code('vector_dimension_mismatch'))
      await put([1, 0])
      const search = (vector: number[]) =>
        indexes.search({
          vector_index_id: id,
          vector: Float32Array.from(vector),
          top_k: 1,
          collection_ids: ['col_a'],
        })
      await assert.rejects(search([Number.NaN, 0]), code('vector_invalid'))
      await assert.rejects(search([1, 0, 0]), code('vector_dimension_mismatch'))
      assert.equal((await search([0, 1])).matches.length, 1)
    },
  )

  rule('an index with vectors keeps its model; an empty one takes on the next', async (_t, { db }) => {
    await makeCollection(db, 'col_a')
    const spec = {
      storage_name: 's',
      feature_uri: 'mixpeek://e@v1/s',
      dimensions: 2,
      distance: 'cosine',
      model_id: 'm',
      model_fingerprint: 'one',
    } as const
    const ensure = (changes: object) =>
      inTransaction(db, (trx) => ensureVectorIndex(trx, SCOPE, { ...spec, ...changes }))
    const first = await ensure({})
    const second = await ensure({ model_fingerprint: 'two', dimensions: 3 })
    assert.equal(second.vector_index_id, first.vector_index_id)
    assert.equal(second.dimensions, 3)
    const [seq] = await makeDocuments(db, 'col_a', [{}])
    await storeVectors(db, first.vector_index_id, 'col_a', [[seq!, [1, 2, 3]]])
    await assert.rejects(ensure({ dimensions: 3 }), code('inference_model_changed'))
    await assert.rejects(ensure({ model_fingerprint: 'two' }), code('vector_dimension_mismatch'))
    await ensure({ model_fingerprint: 'two', dimensions: 3 })
  })

  rule('stored vectors have length 1 and can be read back', async (_t, { db }) => {
    await makeCollection(db, 'col_a')
    const id = await makeVectorIndex(db, 2)
    const [one, two] = await makeDocuments(db, 'col_a', [{}, {}])
    await storeVectors(db, id, 'col_a', [[one!, [3, 4]]])
    const vectors = await readVectors(db, id, [one!, two!])
    assert.deepEqual([...vectors], [[one, Float32Array.of(0.6, 0.8)]])
  })

  rule('every distance scores as the contract says', async (_t, { db, indexes }) => {
    await makeCollection(db, 'col_a')
    const [one, two] = await makeDocuments(db, 'col_a', [{}, {}])
    const expected = {
      dot: [11, 10],
      euclidean: [1 / (1 + Math.sqrt(8)), 1 / (1 + 4)],
      manhattan: [1 / 5, 1 / 5],
    }
    for (const distance of ['dot', 'euclidean', 'manhattan'] as const) {
      const id = await makeVectorIndex(db, 2, { distance, storage_name: distance })
      await storeVectors(db, id, 'col_a', [
        [one!, [3, 4]],
        [two!, [0, 5]],
      ])
      const vector = distance === 'manhattan' ? Float32Array.of(1, 2) : Float32Array.of(1, 2)
      const { matches } = await indexes.search({
        vector_index_id: id,
        vector,
        top_k: 5,
        collection_ids: ['col_a'],
      })
      const scores = new Map(matches.map(({ document_seq, score }) => [document_seq, score]))
      if (distance === 'dot') assert.deepEqual([scores.get(one!), scores.get(two!)], expected.dot)
      if (distance === 'euclidean')
        assert.deepEqual(
          [scores.get(one!), scores.get(two!)],
          [1 / (1 + Math.sqrt(8)), 1 / (1 + Math.sqrt(10))],
        )
      if (distance === 'manhattan') assert.deepEqual([scores.get(one!), scores.get(two!)], expected.manhattan)
    }
  })

  rule('a search can be given up', async (_t, { db, indexes }) => {
    const id = await makeVectorIndex(db, 2)
    const signal = AbortSignal.abort(new Error('given up'))
    const search = {
      vector_index_id: id,
      vector: Float32Array.of(1, 0),
      top_k: 1,
      collection_ids: ['col_a'],
      signal,
    }
    await assert.rejects(indexes.search(search), /given up/)
  })

  test(`a graph finds what an exact scan finds, with and without filters (${name})`, async (t) => {
    const { db, indexes, restart } = await fixture(t)
    await makeCollection(db, 'col_a')
    await makeCollection(db, 'col_b')
    const dimensions = 256
    const count = 9000 // 2.3 million numbers: over the limit of exact scans.
    const id = await makeVectorIndex(db, dimensions)
    const seqs = await makeDocuments(
      db,
      'col_a',
      Array.from({ length: count }, () => ({})),
    )
    const vectors = clusteredVectors(count, dimensions, { clusters: 200 })
    const rows = seqs.map((seq, i) => [seq, vectors[i]!] as const)
    await storeVectors(db, id, 'col_a', rows.slice(0, 7500))
    await storeVectors(db, id, 'col_b', rows.slice(7500))
    const stored = await readVectors(db, id, seqs)
    const queries = clusteredVectors(40, dimensions, { clusters: 200, seed: 99 })
    const both = ['col_a', 'col_b']

    const exact = (query: Float32Array, top_k: number, accept: (seq: number) => boolean): number[] =>
      seqs
        .filter(accept)
        .map((seq) => ({ seq, score: dotOf(stored.get(seq)!, query) }))
        .sort((a, b) => b.score - a.score || a.seq - b.seq)
        .slice(0, top_k)
        .map(({ seq }) => seq)

    const recall = async (
      use: VectorIndexes,
      options: {
        top_k: number
        collection_ids: string[]
        filter?: VectorFilter
        accept?: (seq: number) => boolean
      },
    ) => {
      let hits = 0
      let expected = 0
      const plans = new Set<string>()
      for (const vector of queries) {
        const { accept = () => true, ...search } = options
        const found = await use.search({ vector_index_id: id, vector, ...search })
        assertOrdered(found.matches)
        plans.add(found.plan)
        const truth = exact(vector, options.top_k, accept)
        assert.equal(found.matches.length, truth.length, 'as many matches as exist')
        const got = new Set(found.matches.map(({ document_seq }) => document_seq))
        hits += truth.filter((seq) => got.has(seq)).length
        expected += truth.length
      }
      return { recall: hits / expected, plans: [...plans] }
    }

    const early = await recall(indexes, { top_k: 10, collection_ids: both })
    assert.ok(early.recall >= 0.98, `while the graph grows: ${early.recall}`)
    await untilPlan(indexes, id, both, 'hnsw')
    const whole = await recall(indexes, { top_k: 10, collection_ids: both })
    assert.deepEqual(whole.plans, ['hnsw'])
    assert.ok(whole.recall >= 0.98, `recall ${whole.recall}`)
    const hundred = await recall(indexes, { top_k: 100, collection_ids: both })
    assert.ok(hundred.recall >= 0.97, `recall@100 ${hundred.recall}`)
    const one = await recall(indexes, {
      top_k: 10,
      collection_ids: ['col_b'],
      accept: (seq) => seq > seqs[7499]!,
    })
    assert.ok(one.recall >= 0.97, `one collection: ${one.recall}`)

    for (const percent of [50, 10, 1, 0.1]) {
      const accept = (seq: number) => (seq * 7919) % 1000 < percent * 10
      const filter = memoryFilter(seqs, accept)
      const filtered = await recall(indexes, { top_k: 10, collection_ids: both, filter, accept })
      assert.ok(filtered.recall >= 0.97, `${percent} %: ${filtered.recall} by ${filtered.plans}`)
    }
    const few = new Set(seqs.slice(0, 3))
    const three = await recall(indexes, {
      top_k: 10,
      collection_ids: both,
      filter: memoryFilter(seqs, (seq) => few.has(seq)),
      accept: (seq) => few.has(seq),
    })
    assert.equal(three.recall, 1, 'three documents that pass are all found')

    const all = await indexes.search({
      vector_index_id: id,
      vector: queries[0]!,
      top_k: 10_000,
      collection_ids: both,
    })
    assert.deepEqual(
      all.matches.map(({ document_seq }) => document_seq),
      exact(queries[0]!, 10_000, () => true),
    )

    const again = await restart()
    const loaded = await recall(again, { top_k: 10, collection_ids: both })
    assert.deepEqual(loaded.plans, ['hnsw'], 'the graph came from the snapshot')
    assert.equal(loaded.recall, whole.recall)
  })

  rule(
    'random writes, deletes, restarts and searches give what a plain list gives',
    async (_t, { db, restart, indexes }) => {
      await makeCollection(db, 'col_a')
      await makeCollection(db, 'col_b')
      const seqs = await makeDocuments(
        db,
        'col_a',
        Array.from({ length: 30 }, () => ({})),
      )
      const index = fc.integer({ min: 0, max: 29 })
      const vector = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: -3, max: 3 })))
      const collection = fc.constantFrom('col_a', 'col_b')
      const operation = fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record({
            put: fc.array(fc.tuple(index, vector, collection), { minLength: 1, maxLength: 8 }),
          }),
        },
        { weight: 2, arbitrary: fc.record({ remove: fc.array(index, { minLength: 1, maxLength: 5 }) }) },
        {
          weight: 4,
          arbitrary: fc.record({
            query: vector,
            top_k: fc.integer({ min: 1, max: 40 }),
            only: collection,
            odd: fc.boolean(),
          }),
        },
        { weight: 1, arbitrary: fc.constant('restart' as const) },
      )
      let current = indexes
      let run = 0
      const scenario = fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (operations) => {
        run += 1
        const id = await makeVectorIndex(db, 4, { distance: 'dot', storage_name: `run_${run}` })
        const model = new Map<number, { vector: number[]; collection_id: string }>()
        for (const step of operations) {
          if (step === 'restart') current = await restart()
          else if ('put' in step) {
            const writes = step.put.map(([i, values, collection_id]) => ({
              vector_index_id: id,
              document_seq: seqs[i]!,
              collection_id,
              vector: values,
            }))
            await inTransaction(db, (trx) => putVectors(trx, writes))
            for (const write of writes) model.set(write.document_seq, write)
          } else if ('remove' in step) {
            const gone = step.remove.map((i) => seqs[i]!)
            await inTransaction(db, (trx) => deleteVectors(trx, gone))
            for (const seq of gone) model.delete(seq)
          } else {
            const accept = (seq: number) => !step.odd || seq % 2 === 1
            const expected = [...model]
              .filter(([seq, row]) => row.collection_id === step.only && accept(seq))
              .map(([document_seq, row]) => ({
                document_seq,
                score: row.vector.reduce((sum, value, i) => sum + value * step.query[i]!, 0),
              }))
              .sort((a, b) => b.score - a.score || a.document_seq - b.document_seq)
              .slice(0, step.top_k)
            const { matches } = await current.search({
              vector_index_id: id,
              vector: Float32Array.from(step.query),
              top_k: step.top_k,
              collection_ids: [step.only],
              filter: step.odd ? memoryFilter(seqs, accept) : undefined,
            })
            // -0 and 0 are one score.
            assert.deepEqual(
              matches.map((match) => ({ ...match, score: match.score + 0 })),
              expected.map((match) => ({ ...match, score: match.score + 0 })),
            )
          }
        }
      })
      await fc.assert(scenario, { numRuns: dialect === 'sqlite' ? 20 : 8, endOnFailure: true })
    },
  )

  rule('a check counts and repairs what differs', async (_t, { db, indexes }) => {
    await makeCollection(db, 'col_a')
    const id = await makeVectorIndex(db, 2)
    const seqs = await makeDocuments(db, 'col_a', [{}, {}, {}, {}])
    await storeVectors(
      db,
      id,
      'col_a',
      seqs.slice(0, 3).map((seq) => [seq, [1, 0]]),
    )
    const clean = {
      vector_index_id: id,
      database_count: 3,
      index_count: 3,
      missing: 0,
      surplus: 0,
      different: 0,
    }
    assert.deepEqual(await indexes.check({ repair: false }), [clean])
    // Behind the index's back: no change is logged.
    const [one, two, , four] = seqs
    const vector = Buffer.from(Float32Array.of(0, 1).buffer)
    await db.deleteFrom('vectors').where('document_seq', '=', one!).execute()
    await db.updateTable('vectors').set({ vector }).where('document_seq', '=', two!).execute()
    await db
      .insertInto('vectors')
      .values({ vector_index_id: id, document_seq: four!, collection_id: 'col_a', vector })
      .execute()
    const damaged = { ...clean, missing: 1, surplus: 1, different: 1 }
    assert.deepEqual(await indexes.check({ repair: true }), [damaged])
    assert.deepEqual(await indexes.check({ repair: false }), [clean])
  })
}

/** Rules of the adapter that keeps indexes in this process: its thread and its files. */
function inProcessSuite(dialect: Dialect): void {
  async function fixture(t: TestContext) {
    const database = await searchDatabase(dialect)
    await makeCollection(database.db, 'col_a')
    const id = await makeVectorIndex(database.db, 8)
    const seqs = await makeDocuments(
      database.db,
      'col_a',
      Array.from({ length: 60 }, () => ({})),
    )
    const vectors = clusteredVectors(60, 8, { clusters: 5 })
    await storeVectors(
      database.db,
      id,
      'col_a',
      seqs.map((seq, i) => [seq, vectors[i]!]),
    )
    const warnings: string[] = []
    const logger = {
      info: () => undefined,
      warn: (_facts: object, message: string) => void warnings.push(message),
    }
    const open = () => createVectorIndexes({ database_url: database.url, home: database.home, logger })
    const opened: InProcessIndexes[] = []
    t.after(async () => {
      for (const indexes of opened) await indexes.close()
      await database.close()
    })
    const search = async (indexes: VectorIndexes) =>
      (
        await indexes.search({
          vector_index_id: id,
          vector: vectors[3]!,
          top_k: 60,
          collection_ids: ['col_a'],
        })
      ).matches
    return {
      ...database,
      id,
      seqs,
      vectors,
      warnings,
      search,
      folder: join(database.home, 'index', 'vectors', String(id)),
      open() {
        const indexes = open()
        opened.push(indexes)
        return indexes
      },
    }
  }

  test(`a thread that dies fails what is under way, and the next search works (${dialect})`, async (t) => {
    const { open, search } = await fixture(t)
    const indexes = open()
    const expected = await search(indexes)
    const underWay = search(indexes)
    const ended = indexes.thread.terminate()
    await assert.rejects(underWay, code('vector_index_unavailable'))
    await ended
    assert.deepEqual(await search(indexes), expected)
  })

  test(`after closing, a search fails and does not start a thread (${dialect})`, async (t) => {
    const { open, search } = await fixture(t)
    const indexes = open()
    await search(indexes)
    await indexes.close()
    await assert.rejects(search(indexes), code('vector_index_unavailable'))
    assert.equal(indexes.thread.started, false)
  })

  const damages: [string, (path: string) => Promise<void>][] = [
    ['truncated', async (path) => truncate(path, Math.floor((await readFile(path)).length / 2))],
    ['empty', (path) => truncate(path, 0)],
    [
      'with a flipped byte',
      async (path) => {
        const bytes = await readFile(path)
        bytes[100]! ^= 1
        await writeFile(path, bytes)
      },
    ],
    ['of other content', (path) => writeFile(path, 'not a snapshot at all, but longer than a trailer')],
  ]
  for (const [what, damage] of damages) {
    test(`a snapshot file ${what} is thrown away and the index read anew (${dialect})`, async (t) => {
      const { open, search, folder, warnings } = await fixture(t)
      const first = open()
      const expected = await search(first)
      await first.close()
      for (const name of await readdir(folder)) await damage(join(folder, name))
      const second = open()
      assert.deepEqual(await search(second), expected)
      assert.deepEqual(warnings, ['A snapshot cannot be trusted and is thrown away.'])
      await second.close()
      const third = open()
      assert.deepEqual(await search(third), expected)
      assert.equal(warnings.length, 1, 'the snapshot written since then is good')
    })
  }

  test(`a snapshot catches up with the changes made since it was written (${dialect})`, async (t) => {
    const { open, search, db, id, seqs, vectors, warnings } = await fixture(t)
    const first = open()
    await search(first)
    await first.close()
    await storeVectors(db, id, 'col_a', [[seqs[0]!, vectors[3]!]])
    await inTransaction(db, (trx) => deleteVectors(trx, [seqs[1]!]))
    const matches = await search(open())
    assert.equal(matches.length, 59)
    assert.deepEqual(
      matches.slice(0, 2).map(({ document_seq }) => document_seq),
      [seqs[0], seqs[3]],
    )
    assert.deepEqual(warnings, [])
  })

  test(`when changes have left the log, or the database is an older one, the index is read anew (${dialect})`, async (t) => {
    const { open, search, db, id, seqs, vectors, warnings } = await fixture(t)
    const first = open()
    await search(first)
    await first.close()
    await storeVectors(db, id, 'col_a', [[seqs[0]!, vectors[3]!]])
    const { last } = await db
      .selectFrom('vector_changes')
      .select((eb) => eb.fn.max<number>('change_id').as('last'))
      .executeTakeFirstOrThrow()
    await trimVectorChanges(db, id, last)
    const second = open()
    assert.equal((await search(second))[0]!.document_seq, seqs[0])
    assert.deepEqual(warnings, ['An index is read from the database anew.'])
    await second.close()

    await db.deleteFrom('vectors').where('document_seq', '=', seqs[5]!).execute()
    assert.equal((await search(open())).length, 59, 'the counts differ')
    assert.equal(warnings.length, 2)
  })
}

const dotOf = (a: Float32Array, b: Float32Array) => {
  let sum = 0
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!
  return sum
}

function memoryFilter(seqs: readonly number[], accept: (seq: number) => boolean): VectorFilter {
  return {
    passing: async (document_seqs) => document_seqs.filter(accept),
    all: async (limit) => {
      const passing = seqs.filter(accept)
      return passing.length > limit ? null : passing
    },
  }
}

function assertOrdered(matches: readonly VectorMatch[]): void {
  for (let i = 1; i < matches.length; i += 1) {
    const [a, b] = [matches[i - 1]!, matches[i]!]
    assert.ok(a.score > b.score || (a.score === b.score && a.document_seq < b.document_seq))
  }
}

/** The graph is built in the background; searches meanwhile are complete but exact. */
async function untilPlan(
  indexes: VectorIndexes,
  vector_index_id: number,
  collection_ids: string[],
  plan: string,
) {
  const deadline = performance.now() + 60_000
  const vector = clusteredVectors(1, 256)[0]!
  for (;;) {
    const found = await indexes.search({ vector_index_id, vector, top_k: 10, collection_ids })
    if (found.plan === plan) return
    assert.ok(performance.now() < deadline, `The plan is still ${found.plan}.`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

for (const dialect of DIALECTS) {
  vectorIndexesSuite(`in-process, ${dialect}`, dialect, createVectorIndexes)
  inProcessSuite(dialect)
}

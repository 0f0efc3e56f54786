import assert from 'node:assert/strict'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type Db, type Dialect, inTransaction } from '../../src/platform/db/db.ts'
import { createLexicalIndexes } from '../../src/platform/lexical/in-process-lexical.ts'
import type { LexicalIndexes } from '../../src/platform/lexical/lexical.ts'
import {
  deleteText,
  dropCollectionText,
  putText,
  trimLexicalChanges,
} from '../../src/platform/lexical/lexical-store.ts'
import { queryTokens, tokens } from '../../src/platform/lexical/tokens.ts'
import type { VectorFilter, VectorMatch } from '../../src/platform/vectors/vectors.ts'
import { DIALECTS } from '../support/test-db.ts'
import { makeCollection, makeDocuments, searchDatabase, seededRandom } from '../support/vector-rows.ts'

type Factory = (options: { database_url: string; home: string }) => LexicalIndexes
type Fixture = {
  db: Db
  home: string
  collection_seq: number
  indexes: LexicalIndexes
  restart(): Promise<LexicalIndexes>
  /** Documents of the first collection; their texts are not yet written. */
  documents(count: number): Promise<number[]>
  write(rows: readonly (readonly [number, string])[]): Promise<void>
  find(query: string, top_k?: number): Promise<number[]>
}

/** Rules that every adapter of the LexicalIndexes port keeps. */
export function lexicalIndexesSuite(name: string, dialect: Dialect, create: Factory): void {
  async function fixture(t: TestContext): Promise<Fixture> {
    const { db, url, home, close } = await searchDatabase(dialect)
    let indexes = create({ database_url: url, home })
    t.after(async () => {
      await indexes.close()
      await close()
    })
    const collection_seq = await makeCollection(db, 'col_a')
    return {
      db,
      home,
      collection_seq,
      get indexes() {
        return indexes
      },
      async restart() {
        await indexes.close()
        indexes = create({ database_url: url, home })
        return indexes
      },
      documents: (count) =>
        makeDocuments(
          db,
          'col_a',
          Array.from({ length: count }, () => ({})),
        ),
      write: (rows) =>
        inTransaction(db, (trx) =>
          putText(
            trx,
            collection_seq,
            rows.map(([document_seq, text]) => ({ document_seq, text })),
          ),
        ),
      async find(query, top_k = 10) {
        const matches = await indexes.search({ collection_seqs: [collection_seq], query, top_k })
        return matches.map(({ document_seq }) => document_seq)
      },
    }
  }

  const rule = (title: string, run: (fixture: Fixture) => Promise<void>) =>
    test(`${title} (${name})`, async (t) => run(await fixture(t)))

  rule('a search sees every committed write: new, overwritten, deleted, dropped', async (f) => {
    assert.deepEqual(await f.find('wing'), [])
    const [one, two] = (await f.documents(2)) as [number, number]
    await f.write([[one, 'the wing of a bird']])
    assert.deepEqual(await f.find('wings'), [one])
    await f.write([
      [one, 'a tail'],
      [two, 'wing wing wing'],
    ])
    assert.deepEqual(await f.find('wing'), [two])
    assert.deepEqual(await f.find('wing tail'), [two, one])
    await inTransaction(f.db, (trx) => deleteText(trx, [two]))
    assert.deepEqual(await f.find('wing tail'), [one])
    await inTransaction(f.db, (trx) => dropCollectionText(trx, f.collection_seq))
    assert.deepEqual(await f.find('wing tail'), [])
    const [three] = (await f.documents(1)) as [number]
    await f.write([[three, 'a wing again']])
    assert.deepEqual(await f.find('wing tail'), [three])
    await inTransaction(f.db, (trx) => dropCollectionText(trx, f.collection_seq))
    await f.write([[two, 'tail']])
    assert.deepEqual(await f.find('wing tail'), [two], 'dropped and written again between two searches')
  })

  rule('any of the words suffices, rarer words weigh more, shorter texts score higher', async (f) => {
    const seqs = await f.documents(4)
    await f.write([
      [seqs[0]!, 'flow over a plate'],
      [seqs[1]!, 'flow over a flat plate and another plate of considerable length in air'],
      [seqs[2]!, 'flow'],
      [seqs[3]!, 'hypersonic flow over a cone'],
    ])
    assert.deepEqual(await f.find('hypersonic'), [seqs[3]])
    assert.equal((await f.find('hypersonic flow'))[0], seqs[3])
    assert.equal((await f.find('flow'))[0], seqs[2])
    assert.equal((await f.find('flow')).length, 4)
    const matches = await f.indexes.search({ collection_seqs: [f.collection_seq], query: 'flow', top_k: 10 })
    assert.ok(matches.every(({ score }) => score > 0))
  })

  rule('texts that score equal come in the order of their documents', async (f) => {
    const seqs = await f.documents(300)
    await f.write(seqs.toReversed().map((seq) => [seq, 'same words here']))
    assert.deepEqual(await f.find('words', 50), seqs.slice(0, 50))
  })

  rule('several collections are searched as one', async (f) => {
    const other = await makeCollection(f.db, 'col_b')
    const third = await makeCollection(f.db, 'col_c')
    const [one] = (await f.documents(1)) as [number]
    const [two] = (await makeDocuments(f.db, 'col_b', [{}])) as [number]
    await f.write([[one, 'red apple']])
    await inTransaction(f.db, (trx) => putText(trx, other, [{ document_seq: two, text: 'red pear' }]))
    const search = async (collection_seqs: number[], query = 'red') =>
      (await f.indexes.search({ collection_seqs, query, top_k: 10 })).map(({ document_seq }) => document_seq)
    assert.deepEqual(await search([f.collection_seq, other, third]), [one, two])
    assert.deepEqual(await search([other, other]), [two])
    assert.deepEqual(await search([f.collection_seq, other], 'pear'), [two])
    assert.deepEqual(await search([]), [])
  })

  rule('no query is a syntax error', async (f) => {
    const [one] = (await f.documents(1)) as [number]
    await f.write([[one, 'plain text AND more "quoted" NEAR text']])
    for (const query of [
      '',
      '   ',
      '"',
      '*',
      'a AND',
      '(near',
      'text:*',
      "'; drop table",
      '^text',
      '\0text',
      '-text',
    ])
      assert.ok(Array.isArray(await f.find(query)), query)
    assert.deepEqual(await f.find('\0text'), [one])
    assert.deepEqual(await f.find('"text"* NOT plain'), [one])
    const anything = fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (query) => {
      await f.find(query)
    })
    await fc.assert(anything, { numRuns: 100 })
    const longest = 'word '.repeat(50_000)
    assert.deepEqual(await f.find(longest), [])
  })

  rule('any text can be stored', async (f) => {
    const [one, two] = (await f.documents(2)) as [number, number]
    await f.write([
      [one, 'zero\0byte and half a pair \ud83d end'],
      [two, ''],
    ])
    assert.deepEqual(await f.find('byte'), [one])
    assert.deepEqual(await f.find('end'), [one])
  })

  rule('the ranking is exact BM25, also where common words are passed over', async (f) => {
    const random = seededRandom(5)
    // Words as in language: the commonest in most texts, most words in few (Zipf).
    const word = () => `w${Math.floor(600 ** random())}`
    const seqs = await f.documents(1500)
    const model = new Map<number, string>()
    for (const seq of seqs) {
      const text = Array.from({ length: 5 + Math.floor(random() * 60) }, word).join(' ')
      model.set(seq, text)
    }
    await f.write([...model])
    const check = async () => {
      for (let i = 0; i < 60; i += 1) {
        const query = Array.from({ length: 1 + Math.floor(random() * 6) }, word).join(' ')
        const top_k = 1 + Math.floor(random() * 30)
        const matches = await f.indexes.search({ collection_seqs: [f.collection_seq], query, top_k })
        assertRanking(matches, bm25(model, query), top_k, query)
      }
    }
    await check()
    for (const seq of seqs.slice(0, 500)) model.set(seq, `changed ${model.get(seq)} w1 w2`)
    await f.write([...model].slice(0, 500))
    const gone = seqs.slice(400, 900)
    await inTransaction(f.db, (trx) => deleteText(trx, gone))
    for (const seq of gone) model.delete(seq)
    await check()
    await f.restart()
    await check()
  })

  rule('a filtered search finds top_k matches if they exist', async (f) => {
    const random = seededRandom(9)
    const seqs = await f.documents(3000)
    const model = new Map(
      seqs.map((seq) => [seq, Array.from({ length: 20 }, () => `w${Math.floor(200 ** random())}`).join(' ')]),
    )
    await f.write([...model])
    for (const per_mille of [500, 100, 10, 1]) {
      const accept = (seq: number) => (seq * 7919) % 1000 < per_mille
      const passing = new Map([...model].filter(([seq]) => accept(seq)))
      for (const query of ['w1', 'w50 w1', 'w120 w3 w2']) {
        const matches = await f.indexes.search({
          collection_seqs: [f.collection_seq],
          query,
          top_k: 10,
          filter: memoryFilter(seqs, accept),
        })
        // Statistics are those of the whole collection, whatever the filter lets pass.
        assertRanking(
          matches,
          bm25(model, query).filter(({ document_seq }) => passing.has(document_seq)),
          10,
          query,
        )
      }
    }
  })

  rule('random writes, deletes, restarts and searches give what the formula gives', async (f) => {
    const seqs = await f.documents(12)
    const words = fc
      .array(fc.constantFrom('a', 'b', 'c', 'dd', 'ee'), { maxLength: 8 })
      .map((list) => list.join(' '))
    const index = fc.integer({ min: 0, max: 11 })
    const operation = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ put: fc.array(fc.tuple(index, words), { minLength: 1, maxLength: 5 }) }),
      },
      { weight: 2, arbitrary: fc.record({ remove: fc.array(index, { minLength: 1, maxLength: 4 }) }) },
      { weight: 4, arbitrary: fc.record({ query: words, top_k: fc.integer({ min: 1, max: 14 }) }) },
      { weight: 1, arbitrary: fc.constant('restart' as const) },
    )
    let run = 0
    const scenario = fc.asyncProperty(fc.array(operation, { maxLength: 20 }), async (operations) => {
      run += 1
      const collection_seq = await makeCollection(f.db, `col_run_${run}`)
      const model = new Map<number, string>()
      for (const step of operations) {
        if (step === 'restart') await f.restart()
        else if ('put' in step) {
          const rows = step.put.map(([i, text]) => ({ document_seq: seqs[i]!, text }))
          await inTransaction(f.db, (trx) => putText(trx, collection_seq, rows))
          for (const { document_seq, text } of rows) model.set(document_seq, text)
        } else if ('remove' in step) {
          await inTransaction(f.db, (trx) =>
            deleteText(
              trx,
              step.remove.map((i) => seqs[i]!),
            ),
          )
          for (const i of step.remove) model.delete(seqs[i]!)
        } else {
          const { query, top_k } = step
          const matches = await f.indexes.search({ collection_seqs: [collection_seq], query, top_k })
          assertRanking(matches, bm25(model, query), top_k, query)
        }
      }
      await inTransaction(f.db, (trx) => dropCollectionText(trx, collection_seq))
    })
    await fc.assert(scenario, { numRuns: dialect === 'sqlite' ? 20 : 8, endOnFailure: true })
  })

  rule('a check counts and repairs what differs', async (f) => {
    const seqs = await f.documents(4)
    await f.write(seqs.slice(0, 3).map((seq) => [seq, `text ${seq}`]))
    const clean = {
      collection_seq: f.collection_seq,
      database_count: 3,
      index_count: 3,
      missing: 0,
      surplus: 0,
      different: 0,
    }
    assert.deepEqual(await f.indexes.check({ repair: false }), [clean])
    // Behind the index's back: no change is logged.
    const { collection_seq } = f
    const [one, two, , four] = seqs as [number, number, number, number]
    await f.db.deleteFrom('lexical_texts').where('document_seq', '=', one).execute()
    await f.db.updateTable('lexical_texts').set({ text: 'other' }).where('document_seq', '=', two).execute()
    await f.db
      .insertInto('lexical_texts')
      .values({ collection_seq, document_seq: four, text: 'four' })
      .execute()
    assert.deepEqual(await f.indexes.check({ repair: true }), [
      { ...clean, missing: 1, surplus: 1, different: 1 },
    ])
    assert.deepEqual(await f.indexes.check({ repair: false }), [clean])
    assert.deepEqual(await f.find('other'), [two])
  })
}

/** Rules of the adapter that keeps indexes in this process: its files. */
function inProcessSuite(dialect: Dialect): void {
  const damages: [string, (path: string) => Promise<void>][] = [
    ['is truncated', (path) => truncate(path, 200)],
    ['holds something else', (path) => writeFile(path, 'x'.repeat(500))],
  ]
  for (const [what, damage] of damages) {
    test(`a snapshot that ${what} is thrown away and the index read anew (${dialect})`, async (t) => {
      const { db, url, home, close } = await searchDatabase(dialect)
      const warnings: string[] = []
      const logger = {
        info: () => undefined,
        warn: (_facts: object, message: string) => void warnings.push(message),
      }
      const collection_seq = await makeCollection(db, 'col_a')
      const seqs = await makeDocuments(
        db,
        'col_a',
        Array.from({ length: 40 }, () => ({})),
      )
      const rows = seqs.map((document_seq) => ({
        document_seq,
        text: `common ${'rare '.repeat(document_seq % 5)}`,
      }))
      await inTransaction(db, (trx) => putText(trx, collection_seq, rows))
      const search = { collection_seqs: [collection_seq], query: 'rare common', top_k: 40 }
      const opened: LexicalIndexes[] = []
      const open = () => {
        const indexes = createLexicalIndexes({ database_url: url, home, logger })
        opened.push(indexes)
        return indexes
      }
      t.after(async () => {
        for (const indexes of opened) await indexes.close()
        await close()
      })
      const expected = await open().search(search)
      assert.equal(expected.length, 40)
      await opened[0]!.close()
      await damage(join(home, 'index', 'lexical', `${collection_seq}.snapshot`))
      assert.deepEqual(await open().search(search), expected)
      assert.deepEqual(warnings, ['A snapshot cannot be trusted and is thrown away.'])
      await opened[1]!.close()
      assert.deepEqual(await open().search(search), expected, 'from the new snapshot')
      assert.equal(warnings.length, 1)
    })
  }

  test(`when changes have left the log the index is read anew (${dialect})`, async (t) => {
    const { db, url, home, close } = await searchDatabase(dialect)
    const collection_seq = await makeCollection(db, 'col_a')
    const [one, two] = (await makeDocuments(db, 'col_a', [{}, {}])) as [number, number]
    const indexes = createLexicalIndexes({ database_url: url, home })
    t.after(async () => {
      await indexes.close()
      await close()
    })
    const put = (document_seq: number, text: string) =>
      inTransaction(db, (trx) => putText(trx, collection_seq, [{ document_seq, text }]))
    const search = () => indexes.search({ collection_seqs: [collection_seq], query: 'word', top_k: 5 })
    await put(one, 'word')
    assert.equal((await search()).length, 1)
    await put(two, 'word')
    await trimLexicalChanges(db, collection_seq, 1_000)
    assert.equal((await search()).length, 2)
  })
}

/** BM25 straight from its definition, over all texts. */
function bm25(texts: ReadonlyMap<number, string>, query: string): VectorMatch[] {
  const documents = [...texts].map(([document_seq, text]) => ({ document_seq, words: tokens(text) }))
  const average = documents.reduce((sum, { words }) => sum + words.length, 0) / documents.length
  const asked = queryTokens(query)
  const frequency = new Map(
    asked.map((word) => [word, documents.filter(({ words }) => words.includes(word)).length]),
  )
  return documents
    .map(({ document_seq, words }) => {
      let score = 0
      for (const word of asked) {
        const n = frequency.get(word)!
        const tf = words.filter((one) => one === word).length
        const idf = Math.log(1 + (documents.length - n + 0.5) / (n + 0.5))
        if (tf > 0) score += (idf * tf * 2.2) / (tf + 1.2 * (1 - 0.75 + (0.75 * words.length) / average))
      }
      return { document_seq, score }
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.document_seq - b.document_seq)
}

/** Scores may differ in their last digits, so documents of practically one score may change places. */
function assertRanking(found: VectorMatch[], expected: VectorMatch[], top_k: number, query: string): void {
  assert.equal(found.length, Math.min(top_k, expected.length), query)
  const scoreOf = new Map(expected.map(({ document_seq, score }) => [document_seq, score]))
  for (const [i, { document_seq, score }] of found.entries()) {
    assert.ok(Math.abs(score - expected[i]!.score) < 1e-9, `${query}: place ${i}`)
    assert.ok(Math.abs(score - scoreOf.get(document_seq)!) < 1e-9, `${query}: document ${document_seq}`)
  }
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

for (const dialect of DIALECTS) {
  lexicalIndexesSuite(`in-process, ${dialect}`, dialect, createLexicalIndexes)
  inProcessSuite(dialect)
}

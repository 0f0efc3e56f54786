import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sql } from 'kysely'
import { inTransaction, oncePerTurn, openDb } from './db.ts'

test('a read is made once a turn, anew in the next one and after every commit of this process', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'kura-turn-'))
  const db = openDb(`sqlite:${home}/kura.db`, { durability: 'normal' })
  t.after(async () => {
    await db.destroy()
    await rm(home, { recursive: true, force: true })
  })
  await sql`create table numbers (value integer)`.execute(db)
  let reads = 0
  const count = () =>
    oncePerTurn(db, 'count', async () => {
      reads += 1
      const { rows } = await sql<{ total: number }>`select count(*) as total from numbers`.execute(db)
      return rows[0]!.total
    })
  const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

  assert.deepEqual(await Promise.all([count(), count(), count()]), [0, 0, 0])
  assert.equal(await count(), 0)
  assert.equal(reads, 1)
  await sql`insert into numbers values (1)`.execute(db)
  assert.equal(await count(), 1, 'after a statement of its own')
  await inTransaction(db, async (trx) => {
    await sql`insert into numbers values (2)`.execute(trx)
    assert.equal(await count(), 1, 'not before the commit')
  })
  assert.equal(await count(), 2, 'after the commit')
  // The transaction may have begun in another turn, so the reads before it are not counted.
  const made = reads
  await count()
  assert.equal(reads, made)
  await nextTurn()
  await count()
  assert.equal(reads, made + 1)
})

test('inside a transaction every read is made', async (t) => {
  const db = openDb('sqlite::memory:', { durability: 'normal' })
  t.after(() => db.destroy())
  let reads = 0
  await inTransaction(db, async (trx) => {
    for (let i = 0; i < 2; i++) await oncePerTurn(trx, 'x', async () => void reads++)
  })
  assert.equal(reads, 2)
})

test('a read that fails is not remembered beyond its turn', async (t) => {
  const db = openDb('sqlite::memory:', { durability: 'normal' })
  t.after(() => db.destroy())
  await assert.rejects(oncePerTurn(db, 'x', () => Promise.reject(new Error('no'))))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await oncePerTurn(db, 'x', async () => 1), 1)
})

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inTransaction, openDb } from './db.ts'
import { migrate } from './migrate.ts'
import { migrations } from './migrations/index.ts'

test('a job that writes transaction after transaction leaves the event loop to others in between', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'kura-test-'))
  const db = openDb(`sqlite:${join(home, 'kura.db')}`, { durability: 'normal' })
  t.after(async () => {
    await db.destroy()
    await rm(home, { recursive: true, force: true })
  })
  await migrate(db, migrations)
  let beats = 0
  const timer = setInterval(() => beats++, 10)
  const until = performance.now() + 400
  for (let i = 0; performance.now() < until; i++)
    await inTransaction(db, (trx) =>
      trx
        .insertInto('settings')
        .values({ key: `k${i}`, value: 'x' })
        .execute(),
    )
  clearInterval(timer)
  assert.ok(beats >= 5, `the timer of 10 ms fired ${beats} times in 400 ms`)
})

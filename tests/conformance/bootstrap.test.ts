import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sha256 } from '../../src/core/ids.ts'
import { timestamp } from '../../src/core/time.ts'
import type { Dialect } from '../../src/platform/db/db.ts'
import { bootstrap, findCaller } from '../../src/resources/organizations/index.ts'
import { DIALECTS, testDb } from '../support/test-db.ts'

async function fixture(t: TestContext, dialect: Dialect) {
  const { db, open, close } = await testDb(dialect)
  const homes: string[] = []
  t.after(async () => {
    await close()
    for (const home of homes) await rm(home, { recursive: true, force: true })
  })
  return {
    db,
    open,
    async home() {
      homes.push(await mkdtemp(join(tmpdir(), 'kura-home-')))
      return homes.at(-1)!
    },
    works: async (key: string) => (await findCaller(db, sha256(key), timestamp())) !== undefined,
    organizations: async () =>
      (await db.selectFrom('organizations').select('organization_id').execute()).length,
  }
}

const CONFIGURED = 'sk_configured_0123456789'

for (const dialect of DIALECTS) {
  test(`the first start makes a key and keeps it for its owner only; later starts find it (${dialect})`, async (t) => {
    const { db, home, works } = await fixture(t, dialect)
    const here = await home()
    const first = await bootstrap(db, { home: here })
    assert.ok(first.key_is_new && first.root_key !== null)
    assert.ok(await works(first.root_key))
    assert.equal((await readFile(join(here, 'root-key'), 'utf8')).trim(), first.root_key)
    assert.equal((await stat(join(here, 'root-key'))).mode & 0o777, 0o600)
    const second = await bootstrap(db, { home: here })
    assert.deepEqual(second, { ...first, key_is_new: false })
  })

  test(`a start without the setting leaves a configured key as it is (${dialect})`, async (t) => {
    const { db, home, works } = await fixture(t, dialect)
    const here = await home()
    await bootstrap(db, { home: here, root_key: CONFIGURED })
    // As "kura doctor", or a second server of the same database on another machine.
    for (const other of [here, await home()]) {
      const started = await bootstrap(db, { home: other })
      assert.equal(started.root_key, null)
      assert.equal(started.key_is_new, false)
      assert.deepEqual(await readdir(other), [], 'a key that does not work is not kept')
    }
    assert.ok(await works(CONFIGURED))
    await writeFile(join(here, 'root-key'), 'sk_left_over_0123456789\n')
    assert.equal((await bootstrap(db, { home: here })).root_key, null)
    assert.ok(await works(CONFIGURED))
    assert.ok(!(await works('sk_left_over_0123456789')))
  })

  test(`another configured key replaces the one before it (${dialect})`, async (t) => {
    const { db, home, works } = await fixture(t, dialect)
    const here = await home()
    const { root_key } = await bootstrap(db, { home: here })
    await bootstrap(db, { home: here, root_key: CONFIGURED })
    assert.ok(await works(CONFIGURED))
    assert.ok(!(await works(root_key!)))
  })

  test(`servers that start at once agree on one organization and one key (${dialect})`, async (t) => {
    const { open, home, works, organizations } = await fixture(t, dialect)
    const [here, elsewhere] = [await home(), await home()]
    const started = await Promise.all(
      [here, here, here, elsewhere, here].map((one) => bootstrap(open(), { home: one })),
    )
    assert.equal(await organizations(), 1)
    assert.equal(started.filter(({ key_is_new }) => key_is_new).length, 1)
    const keys = new Set(started.flatMap(({ root_key }) => root_key ?? []))
    assert.equal(keys.size, 1)
    assert.ok(await works([...keys][0]!))
  })
}

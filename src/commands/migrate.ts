import { json, line } from '../cli/output.ts'
import type { Config } from '../config.ts'
import { openDb } from '../platform/db/db.ts'
import { migrate } from '../platform/db/migrate.ts'
import { migrations } from '../platform/db/migrations/index.ts'

export async function runMigrate(config: Config, { asJson }: { asJson: boolean }): Promise<void> {
  const db = openDb(config.database_url, { durability: 'full' })
  try {
    const applied = await migrate(db, migrations)
    const version = migrations.at(-1)?.number ?? 0
    if (asJson) json({ applied, version })
    else if (applied.length === 0) line(`The database is at version ${version} already.`)
    else
      line(
        `Applied ${applied.map((number) => `migration ${number}`).join(', ')}. The database is at version ${version}.`,
      )
  } finally {
    await db.destroy()
  }
}

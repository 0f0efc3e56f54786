import { sql } from 'kysely'
import type { Deps } from '../deps.ts'
import { dialect } from '../platform/db/db.ts'
import { checkBuckets, checkCollections, checkTotals } from './counters.ts'
import { checkLeftovers, checkStoredFiles } from './files.ts'
import type { Finding } from './finding.ts'
import { checkTexts, checkVectors } from './indexes.ts'
import { checkJobs } from './jobs.ts'

export type Patient = Pick<Deps, 'db' | 'blobs' | 'files' | 'vectors' | 'lexical'>

/** Compares what must agree (database pages, counters, stored files, indexes) and looks for stuck jobs. */
export async function examine(
  { db, blobs, files, vectors, lexical }: Patient,
  { repair }: { repair: boolean },
): Promise<Finding[]> {
  return [
    await checkPages(db),
    await checkBuckets(db, { repair }),
    await checkTotals(db, { repair }),
    await checkCollections(db, { repair }),
    await checkStoredFiles(db, blobs),
    await checkLeftovers(files, { repair }),
    await checkVectors(vectors, { repair }),
    await checkTexts(lexical, { repair }),
    await checkJobs(db),
  ]
}

/** SQLite checks its own pages; PostgreSQL has checksums and tools of its own for that. */
async function checkPages(db: Deps['db']): Promise<Finding> {
  if (dialect(db) === 'postgres')
    return { check: 'database pages', examined: 0, problems: 0, repaired: 0, detail: 'left to PostgreSQL' }
  const { rows } = await sql<{ integrity_check: string }>`select * from pragma_integrity_check`.execute(db)
  const problems = rows.filter((row) => row.integrity_check !== 'ok')
  return {
    check: 'database pages',
    examined: 1,
    problems: problems.length,
    repaired: 0,
    detail: problems[0]?.integrity_check ?? '',
  }
}

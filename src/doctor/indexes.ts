import type { LexicalIndexes } from '../platform/lexical/lexical.ts'
import type { VectorIndexes } from '../platform/vectors/vectors.ts'
import type { Finding } from './finding.ts'

type IndexCheck = { database_count: number; missing: number; surplus: number; different: number }

/** Vector indexes against the vectors of the database. */
export async function checkVectors(
  vectors: VectorIndexes,
  { repair }: { repair: boolean },
): Promise<Finding> {
  return summarize('vector indexes', await vectors.check({ repair }), repair)
}

/** Keyword indexes against the texts of the database. */
export async function checkTexts(lexical: LexicalIndexes, { repair }: { repair: boolean }): Promise<Finding> {
  return summarize('keyword indexes', await lexical.check({ repair }), repair)
}

function summarize(check: string, results: readonly IndexCheck[], repair: boolean): Finding {
  const total = (pick: (one: IndexCheck) => number) => results.reduce((sum, one) => sum + pick(one), 0)
  const missing = total((one) => one.missing)
  const surplus = total((one) => one.surplus)
  const different = total((one) => one.different)
  const problems = missing + surplus + different
  return {
    check,
    examined: total((one) => one.database_count),
    problems,
    repaired: repair ? problems : 0,
    detail: problems > 0 ? `${missing} missing, ${surplus} surplus, ${different} different` : '',
  }
}

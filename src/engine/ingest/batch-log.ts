import type { Scope } from '../../core/scope.ts'
import { timestamp } from '../../core/time.ts'
import type { DbOrTrx, Trx } from '../../platform/db/db.ts'
import type { TierKey } from './store.ts'

/** What one tier tells at most; older lines are not shown. */
export const LOG_BYTES_MAX = 1024 * 1024
/** Lines kept of one tier, and the length of one: bounds what a log may take. */
const LINES_MAX = 8000
const LINE_CHARS_MAX = 500

/** Adds lines to the log of a tier, each with the time, in the transaction of what they tell. */
export async function logTier(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
  lines: readonly string[],
): Promise<void> {
  if (lines.length === 0) return
  const at = timestamp()
  const values = lines.map((text) => ({
    namespace_id: namespaceId,
    batch_id,
    tier_num,
    line: `${at} ${oneLine(text)}`,
  }))
  await trx.insertInto('batch_logs').values(values).execute()
}

/** `1 row`, `2 rows`. */
export const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Messages of libraries may hold anything; PostgreSQL takes neither NUL nor half characters. */
const oneLine = (text: string) =>
  text
    .replaceAll('\0', '')
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .slice(0, LINE_CHARS_MAX)
    .toWellFormed()

/** Removes the oldest lines over the bound. */
export async function trimLog(
  trx: Trx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
): Promise<void> {
  const lastToGo = await trx
    .selectFrom('batch_logs')
    .select('log_seq')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .orderBy('log_seq', 'desc')
    .offset(LINES_MAX)
    .limit(1)
    .executeTakeFirst()
  if (!lastToGo) return
  await trx
    .deleteFrom('batch_logs')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .where('log_seq', '<=', lastToGo.log_seq)
    .execute()
}

/** The last lines of a tier, oldest first, LOG_BYTES_MAX at most. */
export async function readLog(
  db: DbOrTrx,
  { namespaceId }: Scope,
  { batch_id, tier_num }: TierKey,
): Promise<string> {
  const rows = await db
    .selectFrom('batch_logs')
    .select('line')
    .where('namespace_id', '=', namespaceId)
    .where('batch_id', '=', batch_id)
    .where('tier_num', '=', tier_num)
    .orderBy('log_seq', 'desc')
    .limit(LINES_MAX)
    .execute()
  const shown: string[] = []
  let bytes = 0
  for (const { line } of rows) {
    bytes += Buffer.byteLength(line) + 1
    if (bytes > LOG_BYTES_MAX) break
    shown.push(`${line}\n`)
  }
  return shown.reverse().join('')
}

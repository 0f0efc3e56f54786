import { sql } from 'kysely'
import type { Db } from '../db/db.ts'
import type { Feed, FeedState } from '../derived-index/follower.ts'
import { inParts } from '../derived-index/parts.ts'
import type { TextRow } from './text-table.ts'
import { TOKEN_RULES } from './tokens.ts'

/** Reads of the texts of one collection and their change log. */
export function lexicalFeed(db: Db, collection_seq: number): Feed<TextRow> {
  // Asked before every search, so it is compiled once and answered from two index look-ups.
  const stateQuery = sql<{ created_at: string; trimmed_to: number; last_change: number | null }>`
    select created_at, changes_trimmed_to as trimmed_to,
      (select max(change_id) from lexical_changes where collection_seq = ${collection_seq}) as last_change
    from lexical_indexes where collection_seq = ${collection_seq}`.compile(db)
  const texts = db.selectFrom('lexical_texts').where('collection_seq', '=', collection_seq)
  const rows = texts.select(['document_seq', 'text'])

  return {
    async state(): Promise<FeedState | undefined> {
      const [found] = (await db.executeQuery(stateQuery)).rows
      if (!found) return undefined
      const { created_at, trimmed_to, last_change } = found
      // A collection whose texts were dropped and written again is another index, as is one of another database.
      return {
        signature: `${TOKEN_RULES}/${created_at}`,
        trimmed_to,
        last_change: Math.max(last_change ?? 0, trimmed_to),
      }
    },
    async changed(after, up_to) {
      const changes = await db
        .selectFrom('lexical_changes')
        .select('document_seq')
        .distinct()
        .where('collection_seq', '=', collection_seq)
        .where('change_id', '>', after)
        .where('change_id', '<=', up_to)
        .execute()
      return changes.map(({ document_seq }) => document_seq)
    },
    async read(document_seqs) {
      const found: TextRow[] = []
      for (const part of inParts(document_seqs))
        found.push(...(await rows.where('document_seq', 'in', part).execute()))
      return found
    },
    scan: (after, limit) =>
      rows.where('document_seq', '>', after).orderBy('document_seq').limit(limit).execute(),
    async count() {
      const { count } = await texts
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return count
    },
  }
}

import { timestamp } from '../../core/time.ts'
import type { Db, Trx } from '../db/db.ts'
import { lockChangeLog } from '../derived-index/change-order.ts'
import { inParts } from '../derived-index/parts.ts'
import { type ChangeLog, trimChanges } from '../derived-index/trim-changes.ts'

/** Rows of one insert. */
const INSERT_ROWS = 64

/**
 * Writes what keyword search shall find a document by, overwriting earlier text, and logs the
 * changes. All documents belong to the collection. Call it late in the transaction (see
 * lockChangeLog).
 */
export async function putText(
  trx: Trx,
  collection_seq: number,
  rows: readonly { document_seq: number; text: string }[],
): Promise<void> {
  if (rows.length === 0) return
  await lockChangeLog(trx, await ensureLexicalIndex(trx, collection_seq))
  const byDocument = new Map(rows.map((row) => [row.document_seq, row]))
  const values = [...byDocument.values()].map(({ document_seq, text }) => ({
    collection_seq,
    document_seq,
    // PostgreSQL cannot store U+0000, and no word contains it.
    text: text.replaceAll('\0', ' ').toWellFormed(),
  }))
  for (const part of inParts(values, INSERT_ROWS)) {
    await trx
      .insertInto('lexical_texts')
      .values(part)
      .onConflict((conflict) =>
        conflict
          .columns(['collection_seq', 'document_seq'])
          .doUpdateSet((eb) => ({ text: eb.ref('excluded.text') })),
      )
      .execute()
  }
  await logChanges(trx, values)
}

/** Returns the namespace of the collection. */
async function ensureLexicalIndex(trx: Trx, collection_seq: number): Promise<string> {
  const { namespace_id } = await trx
    .selectFrom('collections')
    .select('namespace_id')
    .where('collection_seq', '=', collection_seq)
    .executeTakeFirstOrThrow()
  await trx
    .insertInto('lexical_indexes')
    .values({ collection_seq, namespace_id, created_at: timestamp() })
    .onConflict((conflict) => conflict.column('collection_seq').doNothing())
    .execute()
  return namespace_id
}

/** Removes the texts of the documents, whatever collection they are in, and logs that. One namespace a call. */
export async function deleteText(trx: Trx, document_seqs: readonly number[]): Promise<void> {
  let locked = false
  for (const part of inParts(document_seqs)) {
    const found = await trx
      .selectFrom('lexical_texts')
      .leftJoin('lexical_indexes', 'lexical_indexes.collection_seq', 'lexical_texts.collection_seq')
      .select(['lexical_texts.collection_seq', 'lexical_texts.document_seq', 'lexical_indexes.namespace_id'])
      .where('lexical_texts.document_seq', 'in', part)
      .execute()
    if (found.length === 0) continue
    const namespace_id = found.find((row) => row.namespace_id !== null)?.namespace_id
    if (!locked && namespace_id) await lockChangeLog(trx, namespace_id)
    locked = true
    await trx.deleteFrom('lexical_texts').where('document_seq', 'in', part).execute()
    await logChanges(trx, found)
  }
}

/** Removes all searchable text of a collection; followers see that the index is gone. */
export async function dropCollectionText(trx: Trx, collection_seq: number): Promise<void> {
  await trx.deleteFrom('lexical_indexes').where('collection_seq', '=', collection_seq).execute()
  await trx.deleteFrom('lexical_texts').where('collection_seq', '=', collection_seq).execute()
  await trx.deleteFrom('lexical_changes').where('collection_seq', '=', collection_seq).execute()
}

async function logChanges(trx: Trx, changes: readonly { collection_seq: number; document_seq: number }[]) {
  for (const part of inParts(changes)) {
    await trx
      .insertInto('lexical_changes')
      .values(part.map(({ collection_seq, document_seq }) => ({ collection_seq, document_seq })))
      .execute()
  }
}

/** `trimChanges` of one index. */
export function trimLexicalChanges(db: Db, collection_seq: number, up_to: number): Promise<void> {
  return trimChanges(db, CHANGE_LOG, collection_seq, up_to)
}

const CHANGE_LOG: ChangeLog = {
  indexes: 'lexical_indexes',
  changes: 'lexical_changes',
  key: 'collection_seq',
}

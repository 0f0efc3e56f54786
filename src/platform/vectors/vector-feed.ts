import { sql } from 'kysely'
import type { Db } from '../db/db.ts'
import type { Feed, FeedState } from '../derived-index/follower.ts'
import { inParts } from '../derived-index/parts.ts'
import { DISTANCES, type Distance } from './similarity.ts'
import type { VectorRow } from './vector-rows.ts'

/** Reads of one vector index and its change log. */
export function vectorFeed(db: Db, vector_index_id: number): Feed<VectorRow> {
  // Asked before every search, so it is compiled once and answered from two index look-ups.
  const stateQuery = sql<{
    dimensions: number
    distance: string
    created_at: string
    trimmed_to: number
    last_change: number | null
  }>`select dimensions, distance, created_at, changes_trimmed_to as trimmed_to,
      (select max(change_id) from vector_changes where vector_index_id = ${vector_index_id}) as last_change
    from vector_indexes where vector_index_id = ${vector_index_id}`.compile(db)
  const vectors = db.selectFrom('vectors').where('vector_index_id', '=', vector_index_id)
  const rows = vectors.select(['document_seq', 'collection_id', 'vector'])

  return {
    async state(): Promise<FeedState | undefined> {
      const { rows } = await db.executeQuery(stateQuery)
      const [found] = rows
      if (!found) return undefined
      return {
        signature: signatureOf(found),
        trimmed_to: found.trimmed_to,
        last_change: Math.max(found.last_change ?? 0, found.trimmed_to),
      }
    },
    async changed(after, up_to) {
      const changes = await db
        .selectFrom('vector_changes')
        .select('document_seq')
        .distinct()
        .where('vector_index_id', '=', vector_index_id)
        .where('change_id', '>', after)
        .where('change_id', '<=', up_to)
        .execute()
      return changes.map(({ document_seq }) => document_seq)
    },
    async read(document_seqs) {
      const found: VectorRow[] = []
      for (const part of inParts(document_seqs)) {
        for (const row of await rows.where('document_seq', 'in', part).execute()) found.push(unpack(row))
      }
      return found
    },
    async scan(after, limit) {
      const page = await rows.where('document_seq', '>', after).orderBy('document_seq').limit(limit).execute()
      return page.map(unpack)
    },
    async count() {
      const { count } = await vectors
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return count
    },
  }
}

/** The creation time tells indexes of two databases apart that share a home folder, one after the other. */
const signatureOf = ({
  dimensions,
  distance,
  created_at,
}: {
  dimensions: number
  distance: string
  created_at: string
}) => `${distance}/${dimensions}/${created_at}`

export function parseSignature(signature: string): { dimensions: number; distance: Distance } {
  const [distance, dimensions] = signature.split('/')
  const known = DISTANCES.find((one) => one === distance)
  if (!known) throw new Error(`No index knows the distance "${distance}".`)
  return { distance: known, dimensions: Number(dimensions) }
}

function unpack(row: { document_seq: number; collection_id: string; vector: Uint8Array }): VectorRow {
  return { document_seq: row.document_seq, collection_id: row.collection_id, vector: toFloats(row.vector) }
}

/** Stored bytes as numbers. Processors that Kura runs on are little endian, as the bytes are. */
export function toFloats(bytes: Uint8Array): Float32Array {
  // PostgreSQL hands out parts of a larger buffer, which need not begin at a multiple of four.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
  return new Float32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / 4))
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from '../../src/core/scope.ts'
import { timestamp } from '../../src/core/time.ts'
import { type Db, type Dialect, inTransaction, openDb } from '../../src/platform/db/db.ts'
import { migrate } from '../../src/platform/db/migrate.ts'
import { migrations } from '../../src/platform/db/migrations/index.ts'
import type { Distance } from '../../src/platform/vectors/similarity.ts'
import { ensureVectorIndex, putVectors } from '../../src/platform/vectors/vector-store.ts'
import { createDatabase } from './test-db.ts'

export const SCOPE: Scope = { organizationId: 'org_1', namespaceId: 'ns_1' }

export type SearchDatabase = { db: Db; url: string; home: string; close(): Promise<void> }

/** A fresh database and home folder for tests of search indexes. */
export async function searchDatabase(dialect: Dialect): Promise<SearchDatabase> {
  const home = await mkdtemp(join(tmpdir(), 'kura-search-'))
  const { url, drop } = await createDatabase(dialect, home)
  const db = openDb(url, { durability: 'normal' })
  await migrate(db, migrations)
  return {
    db,
    url,
    home,
    async close() {
      await db.destroy()
      await drop()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** A collection with nothing but the columns that must not be null. */
export async function makeCollection(db: Db, collection_id: string, scope = SCOPE): Promise<number> {
  const now = timestamp()
  const { collection_seq } = await db
    .insertInto('collections')
    .values({
      namespace_id: scope.namespaceId,
      collection_id,
      collection_name: collection_id,
      enabled: 1,
      schema_sync_enabled: 1,
      schema_version: 1,
      document_count: 0,
      created_at: now,
      updated_at: now,
      source: '{}',
      feature_extractor: '{}',
      input_schema: '{}',
      output_schema: '{}',
      vector_indexes: '[]',
      payload_indexes: '[]',
      source_lineage: '[]',
    })
    .returning('collection_seq')
    .executeTakeFirstOrThrow()
  return collection_seq
}

/** Documents of a collection with the given payloads; returns their numbers, ascending. */
export async function makeDocuments(
  db: Db,
  collection_id: string,
  payloads: readonly unknown[],
  scope = SCOPE,
): Promise<number[]> {
  return inTransaction(db, async (trx) => {
    const seqs: number[] = []
    for (let i = 0; i < payloads.length; i += 200) {
      const rows = await trx
        .insertInto('documents')
        .values(
          payloads.slice(i, i + 200).map((payload, j) => ({
            namespace_id: scope.namespaceId,
            document_id: `doc_${collection_id}_${i + j}_${timestamp()}`,
            collection_id,
            row_key: String(i + j),
            created_at: timestamp(),
            updated_at: timestamp(),
            payload: JSON.stringify(payload),
            internal: '{}',
            document_blobs: '[]',
          })),
        )
        .returning('document_seq')
        .execute()
      for (const { document_seq } of rows) seqs.push(document_seq)
    }
    return seqs.sort((a, b) => a - b)
  })
}

/** A vector index of the given form, as the first writer of a feature makes it. */
export async function makeVectorIndex(
  db: Db,
  dimensions: number,
  {
    distance = 'cosine',
    storage_name = 'text_extractor_v1_embedding',
  }: { distance?: Distance; storage_name?: string } = {},
): Promise<number> {
  const spec = {
    storage_name,
    feature_uri: `mixpeek://text_extractor@v1/${storage_name}`,
    dimensions,
    distance,
    model_id: 'model',
    model_fingerprint: 'fingerprint',
  }
  const { vector_index_id } = await inTransaction(db, (trx) => ensureVectorIndex(trx, SCOPE, spec))
  return vector_index_id
}

export async function storeVectors(
  db: Db,
  vector_index_id: number,
  collection_id: string,
  rows: readonly (readonly [document_seq: number, vector: ArrayLike<number>])[],
): Promise<void> {
  for (let i = 0; i < rows.length; i += 2000) {
    const part = rows
      .slice(i, i + 2000)
      .map(([document_seq, vector]) => ({ vector_index_id, document_seq, collection_id, vector }))
    await inTransaction(db, (trx) => putVectors(trx, part))
  }
}

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Normally distributed numbers (Box-Muller). */
export function seededGaussian(seed: number): () => number {
  const random = seededRandom(seed)
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/**
 * Vectors as models make them: around centers, with a spread that falls off from one direction to
 * the next. Uniformly random vectors have no near neighbours and say nothing about a graph.
 */
export function clusteredVectors(
  count: number,
  dimensions: number,
  { clusters = 50, spread = 0.4, seed = 1 }: { clusters?: number; spread?: number; seed?: number } = {},
): Float32Array[] {
  const centerGaussian = seededGaussian(7)
  const falloff = Float32Array.from({ length: dimensions }, (_, i) => 1 / Math.sqrt(1 + i / 8))
  const centers = Array.from({ length: clusters }, () =>
    unit(falloff.map((scale) => scale * centerGaussian())),
  )
  const gaussian = seededGaussian(seed)
  const random = seededRandom(seed + 1)
  return Array.from({ length: count }, () => {
    const center = centers[Math.floor(random() * clusters)]!
    const noise = unit(falloff.map((scale) => scale * gaussian()))
    return unit(center.map((value, i) => value + spread * noise[i]!))
  })
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

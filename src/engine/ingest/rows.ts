import type { BlobEntry } from '../../core/blob-entry.ts'
import type { BucketSchema, UniqueKeyConfig } from '../../core/bucket-schema.ts'
import { type RowSource, rowKey } from '../../core/collections/identity.ts'
import type { ObjectRecord, UpstreamDocument } from '../../core/collections/record.ts'
import { isObject, type JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { uniqueKeyOf } from '../../core/unique-key.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'

/** One row of a tier with what its documents inherit. */
export type SourceRow = {
  /** Object id or id of the upstream document: how jobs and failures name the row. */
  row_id: string
  row_key: string
  record: ObjectRecord | UpstreamDocument
  root_object_id: string | null
  root_bucket_id: string | null
  /** Upstream documents only: the key of their vectors, and their `document_blobs`. */
  document_seq: number | null
  document_blobs: JsonObject[]
}

/** Objects that still exist, in the order of the ids. */
export async function loadObjects(
  db: DbOrTrx,
  { namespaceId }: Scope,
  object_ids: readonly string[],
  batch_id: string,
): Promise<SourceRow[]> {
  const rows = await db
    .selectFrom('objects')
    .select(['object_id', 'bucket_id', 'key_prefix', 'created_at', 'unique_key_hash', 'fields', 'blobs'])
    .where('namespace_id', '=', namespaceId)
    .where('object_id', 'in', object_ids)
    .execute()
  const keyed = rows.filter((row) => row.unique_key_hash !== null).map((row) => row.bucket_id)
  const keys = await uniqueKeys(db, { namespaceId }, keyed)
  const found = rows.map((row): SourceRow => {
    const { object_id, bucket_id, key_prefix, created_at, unique_key_hash } = row
    const fields = JSON.parse(row.fields) as JsonObject
    const key = unique_key_hash === null ? undefined : keys.get(bucket_id)
    const unique_key = key ? uniqueKeyOf(key.config, key.schema, fields).canonical : null
    const source: RowSource = { kind: 'object', object_id, bucket_id, batch_id, unique_key }
    return {
      row_id: object_id,
      row_key: rowKey(source),
      record: {
        kind: 'object',
        object_id,
        bucket_id,
        key_prefix,
        created_at,
        fields,
        blobs: JSON.parse(row.blobs) as BlobEntry[],
      },
      root_object_id: object_id,
      root_bucket_id: bucket_id,
      document_seq: null,
      document_blobs: [],
    }
  })
  return inOrder(found, object_ids)
}

/** Upstream documents that still exist, in the order of the ids. */
export async function loadDocuments(
  db: DbOrTrx,
  scope: Scope,
  document_ids: readonly string[],
  { batch_id, upstream_in_batch }: { batch_id: string; upstream_in_batch: boolean },
): Promise<SourceRow[]> {
  const rows = await db
    .selectFrom('documents')
    .select([
      'document_seq',
      'document_id',
      'collection_id',
      'root_object_id',
      'root_bucket_id',
      'created_at',
      'updated_at',
      'payload',
      'internal',
      'document_blobs',
    ])
    .where('namespace_id', '=', scope.namespaceId)
    .where('document_id', 'in', document_ids)
    .execute()
  // Documents of this batch need no salt, so nobody asks what key their bucket has.
  const keyed = upstream_in_batch
    ? new Map<string, BucketKey>()
    : await uniqueKeys(
        db,
        scope,
        rows.map((row) => row.root_bucket_id),
      )
  const found = rows.map((row): SourceRow => {
    const { document_id, collection_id, root_object_id, root_bucket_id, document_seq } = row
    return {
      row_id: document_id,
      row_key: rowKey({
        kind: 'document',
        document_id,
        batch_id,
        has_root_object: root_object_id !== null,
        root_bucket_has_unique_key: root_bucket_id !== null && keyed.has(root_bucket_id),
        upstream_in_batch,
      }),
      record: {
        kind: 'document',
        document_id,
        collection_id,
        payload: JSON.parse(row.payload) as JsonObject,
        internal: {
          ...(JSON.parse(row.internal) as JsonObject),
          created_at: row.created_at,
          updated_at: row.updated_at,
        },
      },
      root_object_id,
      root_bucket_id,
      document_seq,
      document_blobs: (JSON.parse(row.document_blobs) as unknown[]).filter(isObject) as JsonObject[],
    }
  })
  return inOrder(found, document_ids)
}

function inOrder(rows: readonly SourceRow[], ids: readonly string[]): SourceRow[] {
  const byId = new Map(rows.map((row) => [row.row_id, row]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}

type BucketKey = { config: UniqueKeyConfig; schema: BucketSchema | null }

/** The unique keys of those buckets that have one, by bucket id. */
async function uniqueKeys(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  bucket_ids: readonly (string | null)[],
): Promise<Map<string, BucketKey>> {
  const wanted = [...new Set(bucket_ids.filter((id) => id !== null))]
  if (wanted.length === 0) return new Map()
  const rows = await db
    .selectFrom('buckets')
    .select(['bucket_id', 'unique_key', 'bucket_schema'])
    .where('namespace_id', '=', namespaceId)
    .where('bucket_id', 'in', wanted)
    .where('unique_key', 'is not', null)
    .execute()
  return new Map(
    rows.map(({ bucket_id, unique_key, bucket_schema }) => [
      bucket_id,
      { config: JSON.parse(unique_key!), schema: bucket_schema === null ? null : JSON.parse(bucket_schema) },
    ]),
  )
}

import { KuraError } from '../../core/errors.ts'
import { decodeCursor, encodeCursor, type PageRequest, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type Db, inSnapshot } from '../../platform/db/db.ts'
import { collectionsByIds } from '../collections/index.ts'
import type { ObjectDocuments } from './lineage-schemas.ts'
import * as store from './lineage-store.ts'
import { presentDocument } from './present.ts'

type Options = {
  /** Ids or names; absent: all collections. */
  collections: readonly string[] | null
  page: PageRequest
  signUrl?: (file_id: string) => string
}

/** The documents that come from an object, over all tiers. Throws `object_not_found` when there is neither. */
export function objectDocuments(
  db: Db,
  scope: Scope,
  object_id: string,
  { collections: wanted, page, signUrl }: Options,
): Promise<ObjectDocuments> {
  const query = { object_id, wanted }
  return inSnapshot(db, async (trx) => {
    const all = await store.countByCollection(trx, scope, object_id)
    if (all.length === 0 && !(await store.findObject(trx, scope, object_id)))
      throw new KuraError('object_not_found', { resource: 'object', id: object_id })
    const names = await collectionsByIds(
      trx,
      scope,
      all.map(({ collection_id }) => collection_id),
    )
    const counted = all
      .map(({ collection_id, count }) => ({
        collection_id,
        ...(names.has(collection_id) && { collection_name: names.get(collection_id)!.collection_name }),
        document_count: count,
      }))
      .filter(
        ({ collection_id, collection_name }) =>
          wanted === null ||
          wanted.includes(collection_id) ||
          (collection_name && wanted.includes(collection_name)),
      )
    const total = counted.reduce((sum, { document_count }) => sum + document_count, 0)
    const found = await store.listDerived(trx, scope, {
      object_id,
      collection_ids: counted.map(({ collection_id }) => collection_id),
      limit: page.limit + 1,
      offset: page.offset,
      after: page.cursor === null ? null : afterCursor(page.cursor, query),
    })
    const shown = found.slice(0, page.limit)
    const last = shown.at(-1)
    const next_cursor =
      last && found.length > page.limit
        ? encodeCursor({ keys: [last.created_at], id: last.document_id }, query)
        : null
    return {
      object_id,
      total_documents: total,
      collections: counted,
      documents: shown.map((document) =>
        presentDocument(document, { namespace_id: scope.namespaceId, ...(signUrl && { signUrl }) }),
      ),
      pagination: paginate({ page, total, path: `/v1/objects/${object_id}/documents`, next_cursor }),
    }
  })
}

function afterCursor(cursor: string, query: unknown) {
  const { keys, id } = decodeCursor(cursor, query)
  return { created_at: String(keys[0]), document_id: id }
}

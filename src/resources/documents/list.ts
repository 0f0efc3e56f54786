import { KuraError } from '../../core/errors.ts'
import { encodeCursor, type PageRequest, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { indexedFields } from '../../engine/documents/payload-indexes.ts'
import type { DocumentRecord } from '../../engine/documents/record.ts'
import { type Db, inSnapshot } from '../../platform/db/db.ts'
import type { FilterUses } from '../../platform/usage/filter-uses.ts'
import type { CollectionRecord } from '../collections/index.ts'
import { groupMatches } from './groups.ts'
import { averageBlobs, countMatches, documentCursor, parseQuery, readMatches } from './matches.ts'
import { presentDocument } from './present.ts'
import type { DocumentResponse, ListDocumentsBody, ListDocumentsResponse } from './schemas.ts'
import { readCollectionVectors } from './vectors.ts'

/** Deeper pages are read with a cursor, which costs the same at any depth. */
const WINDOW_MAX = 10_000

type Options = {
  body: ListDocumentsBody
  page: PageRequest
  signUrl: (file_id: string) => string
  uses: Pick<FilterUses, 'count'>
}

/** One page of the documents of a collection, or of groups of them. */
export function listDocuments(
  db: Db,
  scope: Scope,
  collection: CollectionRecord,
  options: Options,
): Promise<ListDocumentsResponse> {
  const { body, page, signUrl, uses } = options
  if (page.cursor === null && page.limit + page.offset > WINDOW_MAX)
    throw new KuraError('bad_request', {
      reason: `limit + offset may be at most ${WINDOW_MAX}. Use the cursor to read further.`,
    })
  const asked = parseQuery(collection, body)
  uses.count(scope, asked.filter)
  const path = `/v1/collections/${collection.collection_id}/documents/list`
  // What the cursor belongs to: everything that decides which rows come in which order.
  const identity = { ...asked, group_by: body.group_by ?? null }
  return inSnapshot(db, async (trx) => {
    const query = asked.filter ? { ...asked, indexed_fields: await indexedFields(trx, scope) } : asked
    const show = async (documents: readonly DocumentRecord[]): Promise<Map<number, DocumentResponse>> => {
      const seqs = documents.map(({ document_seq }) => document_seq)
      const vectors = body.return_vectors
        ? await readCollectionVectors(trx, scope, collection, seqs)
        : undefined
      const isSigned = body.return_url || body.return_presigned_urls
      const presented = documents.map((document): [number, DocumentResponse] => [
        document.document_seq,
        presentDocument(document, {
          namespace_id: scope.namespaceId,
          select: body.select ?? null,
          ...(isSigned && { signUrl }),
          ...(vectors && { vectors }),
        }),
      ])
      return new Map(presented)
    }
    if (body.group_by)
      return groupMatches(trx, scope, query, { group_by: body.group_by, page, path, identity, show })

    const after = page.cursor === null ? null : documentCursor(page.cursor, identity)
    const found = await readMatches(trx, scope, query, { limit: page.limit + 1, offset: page.offset, after })
    const shown = found.slice(0, page.limit)
    const last = shown.at(-1)
    const next_cursor =
      last && found.length > page.limit
        ? encodeCursor({ keys: last.keys, id: last.document.document_id }, identity)
        : null
    const total = page.include_total ? await countMatches(trx, scope, query) : null
    const documents = shown.map(({ document }) => document)
    return {
      results: [...(await show(documents)).values()],
      pagination: paginate({ page, total, path, next_cursor }),
      stats: { total_documents: total ?? shown.length, avg_blobs_per_document: averageBlobs(documents) },
    }
  })
}

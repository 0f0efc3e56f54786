import { documentField } from '../../core/filters/document-fields.ts'
import { firstValues, type Path } from '../../core/filters/path.ts'
import { canonicalJson } from '../../core/json.ts'
import { encodeCursor, type PageRequest, paginate } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type DocumentRecord, documentMembers } from '../../engine/documents/record.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import { averageBlobs, type DocumentQuery, documentCursor, type Match, readMatches } from './matches.ts'
import type { DocumentResponse, ListDocumentsResponse } from './schemas.ts'

/** Documents shown of one group; its count is of all. */
const GROUP_DOCUMENTS_MAX = 1000
/** Matches read at a time. */
const SCAN_ROWS = 1000

type Group = { key: unknown; count: number; documents: DocumentRecord[] }

type Options = {
  group_by: string
  page: PageRequest
  path: string
  identity: unknown
  show(documents: readonly DocumentRecord[]): Promise<Map<number, DocumentResponse>>
}

/**
 * Groups all matches by a field, in the order in which the groups first appear; the page is one of
 * groups. Every match is read, but only documents of the page's groups are kept.
 */
export async function groupMatches(
  db: DbOrTrx,
  scope: Scope,
  query: DocumentQuery,
  { group_by, page, path, identity, show }: Options,
): Promise<ListDocumentsResponse> {
  const offset = page.cursor === null ? page.offset : Number(documentCursor(page.cursor, identity).keys[0])
  const places = documentField(group_by)
  const isOnPage = (place: number) => place >= offset && place < offset + page.limit
  const groups = new Map<string, Group>()
  let total_documents = 0
  for await (const { document } of allMatches(db, scope, query)) {
    total_documents++
    for (const [name, key] of keysOf(document, scope.namespaceId, places))
      addTo(groups, { name, key, document, isOnPage })
  }
  const shown = [...groups.values()].slice(offset, offset + page.limit)
  const documents = shown.flatMap((group) => group.documents)
  const presented = await show(documents)
  const end = offset + page.limit
  const next_cursor = end < groups.size ? encodeCursor({ keys: [end], id: '' }, identity) : null
  return {
    groups: shown.map(({ key, count, documents }) => ({
      group_key: key,
      documents: documents.map(({ document_seq }) => presented.get(document_seq)!),
      count,
    })),
    pagination: paginate({ page, total: page.include_total ? groups.size : null, path, next_cursor }),
    stats: {
      total_documents: page.include_total ? total_documents : documents.length,
      avg_blobs_per_document: averageBlobs(documents),
      total_groups: groups.size,
      avg_documents_per_group: groups.size === 0 ? 0 : total_documents / groups.size,
    },
    group_by_field: group_by,
  }
}

async function* allMatches(db: DbOrTrx, scope: Scope, query: DocumentQuery): AsyncGenerator<Match> {
  let after: { keys: Match['keys']; id: string } | null = null
  for (;;) {
    const part: Match[] = await readMatches(db, scope, query, { limit: SCAN_ROWS, after })
    yield* part
    const last = part.at(-1)
    if (!last || part.length < SCAN_ROWS) return
    after = { keys: last.keys, id: last.document.document_id }
  }
}

/**
 * The groups of a document by the canonical text of their key: a missing field is null, and a list
 * makes it a member of the group of each of its elements.
 */
function keysOf(
  document: DocumentRecord,
  namespace_id: string,
  places: readonly Path[],
): Map<string, unknown> {
  const values = firstValues(documentMembers(document, namespace_id), places).flat()
  return new Map((values.length === 0 ? [null] : values).map((value) => [canonicalJson(value), value]))
}

type Entry = { name: string; key: unknown; document: DocumentRecord; isOnPage: (place: number) => boolean }

function addTo(groups: Map<string, Group>, { name, key, document, isOnPage }: Entry): void {
  const known = groups.get(name)
  if (!known) {
    groups.set(name, { key, count: 1, documents: isOnPage(groups.size) ? [document] : [] })
    return
  }
  known.count++
  if (known.documents.length > 0 && known.documents.length < GROUP_DOCUMENTS_MAX)
    known.documents.push(document)
}

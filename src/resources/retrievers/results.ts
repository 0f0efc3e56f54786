import { parseFileAddress } from '../../core/file-address.ts'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import { type DocumentRecord, internalOf, readDocuments } from '../../engine/documents/record.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import { readVectors } from '../../platform/vectors/vector-store.ts'
import type { Candidate } from '../../stages/stage.ts'
import type { ResultDocument } from './schemas.ts'

export type ResultDeps = { db: Db; files: Files }

export type PresentOptions = {
  base_url: string
  presigned_urls: boolean
  vectors: boolean
  /** Root members to keep; ids and scores always stay. */
  select: readonly string[] | null
}

/** Result links work this long (contract, documents). */
const URL_SECONDS = 3600

/** Candidates as clients see them, in their order; one whose document is gone meanwhile is left out. */
export async function presentResults(
  { db, files }: ResultDeps,
  scope: Scope,
  candidates: readonly Candidate[],
  options: PresentOptions,
): Promise<ResultDocument[]> {
  const document_seqs = candidates.map((one) => one.document_seq)
  const documents = await readDocuments(db, scope, { document_seqs })
  const bySeq = new Map(documents.map((document) => [document.document_seq, document]))
  const vectors = options.vectors ? await vectorsOf(db, scope, document_seqs) : null
  const sign = options.presigned_urls
    ? (address: string) => signed(files, scope, address, options.base_url)
    : null
  return candidates.flatMap((candidate) => {
    const document = bySeq.get(candidate.document_seq)
    return document
      ? [
          present(document, candidate, scope, {
            select: options.select,
            sign,
            vectors: vectors?.get(candidate.document_seq),
          }),
        ]
      : []
  })
}

type Sign = (address: string) => string | null

function present(
  document: DocumentRecord,
  { score, scores, features }: Candidate,
  { namespaceId }: Scope,
  {
    select,
    sign,
    vectors,
  }: { select: readonly string[] | null; sign: Sign | null; vectors: JsonObject | undefined },
): ResultDocument {
  const { document_id, collection_id, document_blobs } = document
  const payload = sign ? withUrls(document.payload, sign) : document.payload
  const kept = select
    ? Object.fromEntries(Object.entries(payload).filter(([key]) => select.includes(key)))
    : payload
  const wantsInternal = !select || select.includes('_internal')
  return {
    ...kept,
    document_id,
    collection_id,
    score,
    ...(Object.keys(scores).length > 0 && { scores }),
    ...(Object.keys(features).length > 0 && { features }),
    document_blobs: sign ? document_blobs.map((blob) => withPresignedUrl(blob, sign)) : document_blobs,
    ...(wantsInternal && { _internal: internalOf(document, namespaceId) }),
    ...(vectors && { vectors }),
  }
}

/** Root strings that are addresses of ours become links, because browsers render them as they are. */
function withUrls(payload: JsonObject, sign: Sign): JsonObject {
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => [
      key,
      typeof value === 'string' ? (sign(value) ?? value) : value,
    ]),
  )
}

function withPresignedUrl(blob: JsonObject, sign: Sign): JsonObject {
  const url = typeof blob.url === 'string' ? sign(blob.url) : null
  return url ? { ...blob, presigned_url: url } : blob
}

function signed(files: Files, scope: Scope, address: string, base_url: string): string | null {
  const file_id = parseFileAddress(address)
  return file_id ? files.signedUrl(scope, file_id, { expires_in_seconds: URL_SECONDS, base_url }) : null
}

/** Every vector of the documents under its storage name. */
async function vectorsOf(
  db: Db,
  { namespaceId }: Scope,
  document_seqs: readonly number[],
): Promise<Map<number, JsonObject>> {
  const indexes = await db
    .selectFrom('vector_indexes')
    .select(['vector_index_id', 'storage_name'])
    .where('namespace_id', '=', namespaceId)
    .execute()
  const result = new Map<number, JsonObject>()
  for (const { vector_index_id, storage_name } of indexes) {
    for (const [document_seq, vector] of await readVectors(db, vector_index_id, document_seqs)) {
      const values: JsonValue = Array.from(vector)
      result.set(document_seq, { ...result.get(document_seq), [storage_name]: values })
    }
  }
  return result
}

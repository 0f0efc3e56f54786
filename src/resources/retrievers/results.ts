import type { Scope } from '../../core/scope.ts'
import { readDocuments } from '../../engine/documents/record.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import { readVectors } from '../../platform/vectors/vector-store.ts'
import type { Candidate } from '../../stages/stage.ts'
import { presentDocument } from '../documents/index.ts'
import type { ResultDocument } from './schemas.ts'

export type ResultDeps = { db: Db; files: Files }

export type PresentOptions = {
  base_url: string
  presigned_urls: boolean
  vectors: boolean
  /** Fields to keep; ids and scores always stay. */
  select: readonly string[] | null
}

/** Result links work this long (contract, documents). */
const URL_SECONDS = 3600

/** Candidates as clients see them, in their order; one whose document is gone meanwhile is left out. */
export async function presentResults(
  { db, files }: ResultDeps,
  scope: Scope,
  candidates: readonly Candidate[],
  { base_url, presigned_urls, vectors, select }: PresentOptions,
): Promise<ResultDocument[]> {
  const document_seqs = candidates.map((one) => one.document_seq)
  const documents = await readDocuments(db, scope, { document_seqs })
  const bySeq = new Map(documents.map((document) => [document.document_seq, document]))
  const stored = vectors ? await vectorsOf(db, scope, document_seqs) : null
  const presentation = {
    namespace_id: scope.namespaceId,
    select,
    ...(presigned_urls && {
      signUrl: (file_id: string) =>
        files.signedUrl(scope, file_id, { expires_in_seconds: URL_SECONDS, base_url }),
    }),
  }
  return candidates.flatMap(({ document_seq, score, scores, features }) => {
    const document = bySeq.get(document_seq)
    if (!document) return []
    return [
      {
        ...presentDocument(document, presentation),
        score,
        ...(Object.keys(scores).length > 0 && { scores }),
        ...(Object.keys(features).length > 0 && { features }),
        ...(stored && { vectors: stored.get(document_seq) ?? {} }),
      } as ResultDocument,
    ]
  })
}

/** Every vector of the documents under its storage name. */
async function vectorsOf(
  db: Db,
  { namespaceId }: Scope,
  document_seqs: readonly number[],
): Promise<Map<number, Record<string, number[]>>> {
  const indexes = await db
    .selectFrom('vector_indexes')
    .select(['vector_index_id', 'storage_name'])
    .where('namespace_id', '=', namespaceId)
    .execute()
  const result = new Map<number, Record<string, number[]>>()
  for (const { vector_index_id, storage_name } of indexes) {
    for (const [document_seq, vector] of await readVectors(db, vector_index_id, document_seqs)) {
      result.set(document_seq, { ...result.get(document_seq), [storage_name]: Array.from(vector) })
    }
  }
  return result
}

import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'

/** The bytes of a confirmed upload, as a file that other resources may refer to. */
export type TakenUpload = {
  file_id: string
  filename: string
  mime_type: string
  size_bytes: number
  /** SHA-256. */
  hash: string
}

/**
 * The file behind an upload of this bucket. An upload may be taken any number of times: whoever takes
 * it lets the file be kept alive by a reference of its own, and the bytes are shared. Throws
 * `upload_not_found`, and `upload_not_confirmed` before its confirmation.
 */
export async function takeUpload(
  db: DbOrTrx,
  { namespaceId }: Scope,
  bucket_id: string,
  upload_id: string,
): Promise<TakenUpload> {
  const row = await db
    .selectFrom('uploads')
    .leftJoin('files', (join) =>
      join
        .onRef('files.namespace_id', '=', 'uploads.namespace_id')
        .onRef('files.file_id', '=', 'uploads.file_id'),
    )
    .select([
      'uploads.status',
      'uploads.filename',
      'files.file_id',
      'files.mime_type',
      'files.size_bytes',
      'files.sha256',
    ])
    .where('uploads.namespace_id', '=', namespaceId)
    .where('uploads.bucket_id', '=', bucket_id)
    .where('uploads.upload_id', '=', upload_id)
    .executeTakeFirst()
  if (!row) throw uploadNotFound(upload_id)
  const { file_id, mime_type, size_bytes, sha256 } = row
  if (row.status !== 'COMPLETED' || file_id === null)
    throw new KuraError('upload_not_confirmed', { upload_id, status: row.status })
  return { file_id, filename: row.filename, mime_type: mime_type!, size_bytes: size_bytes!, hash: sha256! }
}

/** `takeUpload` for whoever needs only the id of the file. */
export function findUploadedFile(db: DbOrTrx) {
  return async (scope: Scope, bucket_id: string, upload_id: string): Promise<string> =>
    (await takeUpload(db, scope, bucket_id, upload_id)).file_id
}

export const uploadNotFound = (upload_id: string) =>
  new KuraError('upload_not_found', { resource: 'upload', id: upload_id })

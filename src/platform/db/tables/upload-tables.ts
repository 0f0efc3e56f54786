import type { Generated } from 'kysely'
import type { Flag, Instant, Json } from './columns.ts'

/** Uploads. */
export type UploadTables = {
  uploads: {
    namespace_id: string
    upload_id: string
    organization_id: string
    bucket_id: string
    /** `presigned`: one PUT; `tus`: in pieces. */
    kind: string
    status: string
    filename: string
    content_type: string
    /** As declared, and once the bytes are known, as they are. */
    file_size_bytes: number | null
    /** Seconds. */
    presigned_url_expiration: number
    /** A name for people; the bytes lie under keys made of ids. */
    s3_key: string
    metadata: Json
    create_object_on_confirm: Flag
    object_metadata: Json | null
    blob_property: string | null
    blob_type: string | null
    /** What the object does about one with its unique key. */
    policy: string | null
    /** SHA-256: as declared, and once the bytes are known, as it is. */
    file_hash: string | null
    skip_duplicates: Flag
    is_duplicate: Flag
    duplicate_of_upload_id: string | null
    skipped_unique_key: Flag
    existing_object_id: string | null
    message: string | null
    /** Upload-Metadata as the client sent it; null for presigned uploads. */
    tus_metadata: Json | null
    created_at: Instant
    expires_at: Instant
    /** When all bytes were there; null where only the blob store knows. */
    received_at: Instant | null
    completed_at: Instant | null
    verified_at: Instant | null
    /** When it became COMPLETED, FAILED or CANCELED. */
    ended_at: Instant | null
    etag: string | null
    object_id: string | null
    task_id: string | null
    /** The bytes, once they are a file. */
    file_id: string | null
    /** Where bytes arrive in the blob store that no file has yet. */
    storage_key: string | null
    /** Who writes now, and until when that holds unless it is prolonged. */
    lock_token: string | null
    lock_expires_at: Instant | null
    /** Another request waits for the lock. */
    lock_wanted: Generated<number>
  }
}

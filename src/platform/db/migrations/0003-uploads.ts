import type { Migration } from '../migrate.ts'

/** Presigned and resumable uploads. */
export const uploads: Migration = {
  number: 3,
  name: 'uploads',
  statements: ({ text, json }) => [
    `create table uploads (
      namespace_id ${text} not null, upload_id ${text} not null, organization_id ${text} not null,
      bucket_id ${text} not null, kind ${text} not null, status ${text} not null,
      filename ${text} not null, content_type ${text} not null, file_size_bytes bigint,
      presigned_url_expiration integer not null, s3_key ${text} not null, metadata ${json} not null,
      create_object_on_confirm integer not null, object_metadata ${json}, blob_property ${text}, blob_type ${text},
      policy ${text}, file_hash ${text}, skip_duplicates integer not null, is_duplicate integer not null default 0,
      duplicate_of_upload_id ${text}, skipped_unique_key integer not null default 0, existing_object_id ${text},
      message ${text}, tus_metadata ${json}, created_at ${text} not null, expires_at ${text} not null,
      received_at ${text}, completed_at ${text}, verified_at ${text}, ended_at ${text},
      etag ${text}, object_id ${text}, task_id ${text}, file_id ${text}, storage_key ${text},
      lock_token ${text}, lock_expires_at ${text}, lock_wanted integer not null default 0,
      primary key (namespace_id, upload_id))`,
    'create index uploads_newest on uploads (namespace_id, bucket_id, created_at desc, upload_id)',
    `create index uploads_by_hash on uploads (namespace_id, bucket_id, file_hash) where status = 'COMPLETED'`,
    // For the limits of open uploads and for what is past its time.
    `create index uploads_open on uploads (organization_id, namespace_id, bucket_id, expires_at) where ended_at is null`,
    'create index uploads_ended on uploads (ended_at) where ended_at is not null',
    // Bytes in the blob store are kept while an upload names them.
    'create unique index uploads_by_storage_key on uploads (storage_key) where storage_key is not null',
  ],
}

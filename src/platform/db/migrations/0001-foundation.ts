import type { Dialect } from '../db.ts'
import { postgresFunctions } from '../filters/postgres-functions.ts'
import type { Migration } from '../migrate.ts'

/**
 * Organizations, keys, namespaces, buckets, objects, files, batches, tasks, jobs, collections,
 * documents, vectors, retrievers. Ids are unique per namespace, so keys begin with it.
 */
export const foundation: Migration = {
  number: 1,
  name: 'foundation',
  statements: ({ text, json, blob, identity, dialect }) => [
    ...(dialect === 'postgres' ? postgresFunctions() : []),

    `create table settings (key ${text} primary key, value ${text} not null)`,

    `create table organizations (
      organization_id ${text} primary key, internal_id ${text} not null, organization_name ${text} not null,
      metadata ${json} not null, created_at ${text} not null, updated_at ${text} not null)`,

    `create table api_keys (
      key_id ${text} primary key, organization_id ${text} not null references organizations,
      key_hash ${text} not null unique, key_prefix ${text} not null, name ${text} not null,
      permissions ${json} not null, scopes ${json} not null, status ${text} not null,
      expires_at ${text}, created_at ${text} not null, updated_at ${text} not null)`,

    `create table namespaces (
      namespace_id ${text} primary key, organization_id ${text} not null references organizations,
      namespace_name ${text} not null, description ${text}, namespace_type ${text} not null,
      feature_extractors ${json} not null, payload_indexes ${json} not null, infrastructure ${json},
      auto_create_indexes integer not null default 0, status ${text} not null, delete_task_id ${text},
      created_at ${text} not null, updated_at ${text} not null,
      unique (organization_id, namespace_name))`,

    `create table buckets (
      bucket_seq ${identity}, namespace_id ${text} not null, bucket_id ${text} not null, bucket_name ${text} not null,
      bucket_name_folded ${text} not null,
      status ${text} not null, is_locked integer not null default 0, storage_class ${text},
      object_count bigint not null default 0, total_size_bytes bigint not null default 0,
      max_size_bytes bigint not null default 0, min_size_bytes bigint not null default 0,
      batch_total bigint not null default 0, batch_active bigint not null default 0,
      batch_completed bigint not null default 0, batch_failed bigint not null default 0,
      created_at ${text} not null, updated_at ${text} not null, last_upload_at ${text},
      stats_updated_at ${text} not null, delete_task_id ${text},
      description ${text}, bucket_schema ${json}, unique_key ${json}, source_adapter ${json}, metadata ${json} not null,
      unique (namespace_id, bucket_id), unique (namespace_id, bucket_name))`,
    'create index buckets_newest on buckets (namespace_id, created_at desc, bucket_id)',
    'create index buckets_by_name on buckets (namespace_id, bucket_name_folded, bucket_name)',
    'create index buckets_by_update on buckets (namespace_id, updated_at, bucket_id)',
    ...bucketSearch(text, dialect),
    `create table bucket_totals (
      namespace_id ${text} not null, shard integer not null, bucket_count bigint not null,
      object_count bigint not null, total_size_bytes bigint not null, version bigint not null,
      primary key (namespace_id, shard))`,

    `create table objects (
      namespace_id ${text} not null, object_id ${text} not null, bucket_id ${text} not null, key_prefix ${text},
      status ${text} not null, size_bytes bigint not null, created_at ${text} not null, updated_at ${text} not null,
      unique_key_hash ${text}, content_hash ${text}, error ${text},
      source_details ${json} not null, fields ${json} not null, blobs ${json} not null,
      primary key (namespace_id, object_id))`,
    'create index objects_newest on objects (namespace_id, bucket_id, created_at desc, object_id)',
    'create index objects_by_size on objects (namespace_id, bucket_id, size_bytes)',
    'create unique index objects_unique_key on objects (namespace_id, bucket_id, unique_key_hash) where unique_key_hash is not null',
    'create index objects_by_content on objects (namespace_id, bucket_id, content_hash)',

    `create table files (
      namespace_id ${text} not null, file_id ${text} not null, sha256 ${text} not null, size_bytes bigint not null,
      mime_type ${text} not null, filename ${text}, content ${blob}, storage_key ${text}, created_at ${text} not null,
      primary key (namespace_id, file_id))`,
    'create index files_by_hash on files (namespace_id, sha256)',
    `create table file_references (
      namespace_id ${text} not null, file_id ${text} not null, owner_type ${text} not null, owner_id ${text} not null,
      primary key (namespace_id, file_id, owner_type, owner_id))`,
    'create index file_references_by_owner on file_references (namespace_id, owner_type, owner_id)',

    `create table batches (
      namespace_id ${text} not null, batch_id ${text} not null, bucket_id ${text} not null, type ${text} not null,
      status ${text} not null, task_id ${text}, object_count bigint not null, current_tier integer,
      total_tiers integer not null default 1, error ${text}, created_at ${text} not null, updated_at ${text} not null,
      submitted_at ${text}, completed_at ${text}, rerun_since ${text},
      collection_ids ${json}, dag_tiers ${json}, snapshot ${json},
      internal_metadata ${json} not null, metadata ${json} not null,
      primary key (namespace_id, batch_id))`,
    'create index batches_newest on batches (namespace_id, bucket_id, created_at desc, batch_id)',
    `create table batch_objects (
      namespace_id ${text} not null, batch_id ${text} not null, position bigint not null, object_id ${text} not null,
      primary key (namespace_id, batch_id, position), unique (namespace_id, batch_id, object_id))`,
    'create index batch_objects_by_object on batch_objects (namespace_id, object_id)',
    `create table batch_tiers (
      namespace_id ${text} not null, batch_id ${text} not null, tier_num integer not null, task_id ${text},
      parent_task_id ${text}, status ${text} not null, source_type ${text} not null, source_collection_ids ${json},
      jobs_open bigint not null default 0, retry_rows ${json}, started_at ${text}, completed_at ${text},
      primary key (namespace_id, batch_id, tier_num))`,
    `create table batch_tier_collections (
      namespace_id ${text} not null, batch_id ${text} not null, tier_num integer not null, collection_id ${text} not null,
      position integer not null, feature_extractor_id ${text} not null, status ${text} not null,
      source_documents_fetched bigint not null default 0, documents_after_source_filter bigint not null default 0,
      documents_missing_input_fields bigint not null default 0, documents_submitted_to_engine bigint not null default 0,
      documents_written bigint not null default 0, rows_done bigint not null default 0, rows_failed bigint not null default 0,
      started_at ${text}, completed_at ${text},
      primary key (namespace_id, batch_id, tier_num, collection_id))`,
    `create table row_failures (
      namespace_id ${text} not null, failure_id ${text} not null, batch_id ${text} not null, tier_num integer not null,
      collection_id ${text} not null, object_id ${text}, document_id ${text}, error_type ${text} not null,
      message ${text} not null, stage ${text} not null, component ${text} not null, recovery_suggestion ${text},
      is_transient integer not null, retry_count integer not null default 0, failed_at ${text} not null,
      primary key (namespace_id, failure_id))`,
    'create index row_failures_by_batch on row_failures (namespace_id, batch_id, tier_num, collection_id)',

    `create table tasks (
      task_id ${text} primary key, organization_id ${text} not null, namespace_id ${text}, task_type ${text} not null,
      status ${text} not null, error ${text}, processed bigint not null default 0, total bigint,
      inputs ${json} not null, outputs ${json} not null, additional_data ${json} not null,
      created_at ${text} not null, updated_at ${text} not null, started_at ${text}, ended_at ${text})`,
    'create index tasks_newest on tasks (organization_id, created_at desc, task_id)',

    `create table jobs (
      job_id ${text} primary key, organization_id ${text} not null, namespace_id ${text} not null, kind ${text} not null,
      status ${text} not null, priority integer not null default 0, run_at ${text} not null, batch_id ${text}, tier_num integer,
      attempt integer not null default 0, lease_token ${text}, lease_expires_at ${text}, worker_id ${text}, last_error ${text},
      created_at ${text} not null, payload ${json} not null)`,
    'create index jobs_next on jobs (status, priority desc, run_at, job_id)',
    'create index jobs_leased on jobs (lease_expires_at) where lease_expires_at is not null',
    'create index jobs_by_batch on jobs (namespace_id, batch_id)',

    `create table collections (
      collection_seq ${identity}, namespace_id ${text} not null, collection_id ${text} not null,
      collection_name ${text} not null, description ${text}, enabled integer not null default 1,
      schema_version integer not null default 1, schema_sync_enabled integer not null default 1, last_schema_sync ${text},
      document_count bigint not null default 0, created_at ${text} not null, updated_at ${text} not null,
      source ${json} not null, feature_extractor ${json} not null, input_schema ${json} not null, output_schema ${json} not null,
      vector_indexes ${json} not null, payload_indexes ${json} not null, source_lineage ${json} not null, source_bucket_schemas ${json},
      taxonomy_applications ${json}, cluster_applications ${json}, alert_applications ${json}, retriever_enrichments ${json},
      schedule ${json}, metadata ${json},
      unique (namespace_id, collection_id), unique (namespace_id, collection_name))`,
    'create index collections_newest on collections (namespace_id, created_at desc, collection_id)',
    `create table collection_sources (
      namespace_id ${text} not null, collection_id ${text} not null, source_type ${text} not null, source_id ${text} not null,
      primary key (namespace_id, collection_id, source_type, source_id))`,
    'create index collection_sources_by_source on collection_sources (namespace_id, source_type, source_id)',

    `create table documents (
      document_seq ${identity}, namespace_id ${text} not null, document_id ${text} not null, collection_id ${text} not null,
      row_key ${text} not null, batch_id ${text}, root_object_id ${text}, root_bucket_id ${text}, source_document_id ${text},
      created_at ${text} not null, updated_at ${text} not null,
      payload ${json} not null, internal ${json} not null, document_blobs ${json} not null,
      unique (namespace_id, document_id))`,
    'create index documents_in_order on documents (namespace_id, collection_id, created_at, document_id)',
    'create index documents_by_row on documents (namespace_id, collection_id, row_key)',
    'create index documents_by_root on documents (namespace_id, root_object_id)',
    'create index documents_by_parent on documents (namespace_id, source_document_id)',
    'create index documents_by_batch on documents (namespace_id, batch_id, collection_id, document_seq)',

    `create table vector_indexes (
      vector_index_id ${identity}, namespace_id ${text} not null, storage_name ${text} not null, feature_uri ${text} not null,
      dimensions integer not null, distance ${text} not null, model_id ${text} not null, model_fingerprint ${text} not null,
      created_at ${text} not null, changes_trimmed_to bigint not null default 0, unique (namespace_id, storage_name))`,
    `create table vectors (
      vector_index_id bigint not null, document_seq bigint not null, collection_id ${text} not null, vector ${blob} not null,
      primary key (vector_index_id, document_seq))`,
    'create index vectors_by_document on vectors (document_seq)',
    `create table vector_changes (
      change_id ${identity}, vector_index_id bigint not null, document_seq bigint not null)`,
    'create index vector_changes_by_index on vector_changes (vector_index_id, change_id)',

    `create table lexical_indexes (
      collection_seq bigint primary key, namespace_id ${text} not null, created_at ${text} not null,
      changes_trimmed_to bigint not null default 0)`,
    `create table lexical_texts (
      collection_seq bigint not null, document_seq bigint not null, text ${text} not null,
      primary key (collection_seq, document_seq))`,
    'create index lexical_texts_by_document on lexical_texts (document_seq)',
    `create table lexical_changes (
      change_id ${identity}, collection_seq bigint not null, document_seq bigint not null)`,
    'create index lexical_changes_by_index on lexical_changes (collection_seq, change_id)',

    `create table retrievers (
      namespace_id ${text} not null, retriever_id ${text} not null, retriever_name ${text} not null, description ${text},
      version integer not null default 1, created_at ${text} not null, updated_at ${text} not null, created_by ${text},
      collection_identifiers ${json} not null, collection_ids ${json} not null, stages ${json} not null, input_schema ${json} not null,
      budget_limits ${json} not null, cache_config ${json}, display_config ${json}, feature_dependencies ${json} not null,
      tags ${json} not null, visibility ${text} not null,
      primary key (namespace_id, retriever_id), unique (namespace_id, retriever_name))`,
  ],
}

/**
 * What a bucket search reads. It is not part of `buckets`, whose rows change with every object.
 * Trigram indexes find the buckets that can hold a substring without reading all of them.
 */
function bucketSearch(text: string, dialect: Dialect): string[] {
  const table = `create table bucket_search (
      namespace_id ${text} not null, bucket_seq bigint not null, folded ${text} not null,
      primary key (namespace_id, bucket_seq))`
  if (dialect === 'sqlite')
    return [
      // A search that reads a whole namespace then reads it in one piece.
      `${table} without rowid`,
      `create virtual table bucket_search_trigrams using fts5 (
        folded, content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1')`,
      // Sorting by a counter costs an index entry more per object; on PostgreSQL it would cost every
      // update of the row its in-place form, so there the rows are sorted instead.
      'create index buckets_by_objects on buckets (namespace_id, object_count, bucket_id)',
      'create index buckets_by_size on buckets (namespace_id, total_size_bytes, bucket_id)',
      'create index buckets_by_upload on buckets (namespace_id, last_upload_at, bucket_id)',
    ]
  return [
    table,
    // pg_trgm comes with PostgreSQL, yet a server may lack it or forbid it: searches then read every bucket.
    `do $$ begin create extension if not exists pg_trgm; exception when others then null; end $$`,
    `do $$ begin
      if exists (select from pg_extension where extname = 'pg_trgm') then
        create index bucket_search_trigrams on bucket_search using gin (folded gin_trgm_ops);
      end if; end $$`,
  ]
}

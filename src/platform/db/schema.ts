import type { Generated } from 'kysely'
import type { Flag, Instant, Json } from './tables/columns.ts'
import type { ConnectionTables } from './tables/connection-tables.ts'
import type { FilterUseTables } from './tables/filter-use-tables.ts'
import type { OrganizationTables } from './tables/organization-tables.ts'
import type { UploadTables } from './tables/upload-tables.ts'
import type { WebhookTables } from './tables/webhook-tables.ts'

/** The tables as TypeScript sees them, equal on both databases. */
export type Schema = FoundationTables &
  OrganizationTables &
  UploadTables &
  ConnectionTables &
  WebhookTables &
  FilterUseTables

type FoundationTables = {
  settings: { key: string; value: string }
  namespaces: {
    namespace_id: string
    organization_id: string
    namespace_name: string
    description: string | null
    namespace_type: string
    feature_extractors: Json
    payload_indexes: Json
    infrastructure: Json | null
    auto_create_indexes: Flag
    status: string
    delete_task_id: string | null
    created_at: Instant
    updated_at: Instant
  }
  buckets: {
    /** Small number that search uses as its key; never reused. */
    bucket_seq: Generated<number>
    namespace_id: string
    bucket_id: string
    bucket_name: string
    /** `foldCase` of the name. */
    bucket_name_folded: string
    status: string
    is_locked: Flag
    storage_class: string | null
    object_count: number
    total_size_bytes: number
    max_size_bytes: number
    min_size_bytes: number
    batch_total: number
    batch_active: number
    batch_completed: number
    batch_failed: number
    created_at: Instant
    updated_at: Instant
    last_upload_at: Instant | null
    stats_updated_at: Instant
    delete_task_id: string | null
    description: string | null
    bucket_schema: Json | null
    /** Grows when the schema changes so that what fitted may no longer fit. */
    schema_version: Generated<number>
    unique_key: Json | null
    source_adapter: Json | null
    metadata: Json
  }
  /** Texts that a bucket search looks at, joined (resources/buckets/search-text.ts). */
  bucket_search: { namespace_id: string; bucket_seq: number; folded: string }
  /** SQLite only: the substring index over `bucket_search.folded`. */
  bucket_search_trigrams: { rowid: number; folded: string }
  /** Sums over the buckets of a namespace, in one or several rows. */
  bucket_totals: {
    namespace_id: string
    shard: number
    bucket_count: number
    object_count: number
    total_size_bytes: number
    /** Grows with every change of a bucket. */
    version: number
  }
  objects: {
    namespace_id: string
    object_id: string
    bucket_id: string
    key_prefix: string | null
    status: string
    size_bytes: number
    created_at: Instant
    updated_at: Instant
    unique_key_hash: string | null
    content_hash: string | null
    error: string | null
    source_details: Json
    /** Root members that the user sent, `metadata` among them. */
    fields: Json
    blobs: Json
  }
  /** Bytes in the blob store; objects, documents and uploads refer to them. */
  files: {
    namespace_id: string
    file_id: string
    sha256: string
    size_bytes: number
    mime_type: string
    filename: string | null
    /** Small files live here, in the transaction that made them; larger ones in the blob store. Exactly one is set. */
    content: Uint8Array | null
    storage_key: string | null
    /** As the bucket asked when the bytes were written; null is the store's default. */
    storage_class: string | null
    created_at: Instant
  }
  /** Who keeps a file alive. A file without a row here may be removed. */
  file_references: {
    namespace_id: string
    file_id: string
    owner_type: 'object' | 'document' | 'upload'
    owner_id: string
  }
  batches: {
    namespace_id: string
    batch_id: string
    bucket_id: string
    type: string
    status: string
    task_id: string | null
    object_count: number
    current_tier: number | null
    total_tiers: number
    error: string | null
    created_at: Instant
    updated_at: Instant
    submitted_at: Instant | null
    completed_at: Instant | null
    /** Set by a retry: later tiers then read only documents written since. */
    rerun_since: Instant | null
    /** Of its jobs: higher runs first. */
    priority: Generated<number>
    /** When it was submitted or last got further; null for a draft, and in batches of older programs. */
    progress_at: Instant | null
    collection_ids: Json | null
    dag_tiers: Json | null
    /** Collection configurations as they were when the batch was submitted. */
    snapshot: Json | null
    internal_metadata: Json
    metadata: Json
  }
  batch_objects: { namespace_id: string; batch_id: string; position: number; object_id: string }
  batch_tiers: {
    namespace_id: string
    batch_id: string
    tier_num: number
    task_id: string | null
    parent_task_id: string | null
    status: string
    source_type: string
    source_collection_ids: Json | null
    /** Jobs of this tier that have not ended; the job that brings it to 0 ends the tier. */
    jobs_open: number
    /** Failed rows that run again when the tier starts: retry counts by row id, by collection. */
    retry_rows: Json | null
    /** What a cancellation cut off (HeldJob[]), until a retry goes on with it. */
    held_jobs: Json | null
    started_at: Instant | null
    completed_at: Instant | null
  }
  /** What one collection did in one tier. Counters are rows of that collection; a tier's are their sums. */
  batch_tier_collections: {
    namespace_id: string
    batch_id: string
    tier_num: number
    collection_id: string
    position: number
    feature_extractor_id: string
    status: string
    source_documents_fetched: Generated<number>
    documents_after_source_filter: Generated<number>
    documents_missing_input_fields: Generated<number>
    documents_submitted_to_engine: Generated<number>
    documents_written: Generated<number>
    rows_done: Generated<number>
    rows_failed: Generated<number>
    started_at: Instant | null
    completed_at: Instant | null
  }
  /** What happened in a tier, in order; few rows a job, and the oldest go when there are many. */
  batch_logs: {
    log_seq: Generated<number>
    namespace_id: string
    batch_id: string
    tier_num: number
    line: string
  }
  row_failures: {
    namespace_id: string
    failure_id: string
    batch_id: string
    tier_num: number
    collection_id: string
    object_id: string | null
    document_id: string | null
    error_type: string
    message: string
    stage: string
    component: string
    recovery_suggestion: string | null
    is_transient: Flag
    retry_count: number
    failed_at: Instant
  }
  tasks: {
    task_id: string
    organization_id: string
    namespace_id: string | null
    task_type: string
    status: string
    error: string | null
    /** Progress in units of the task (rows, objects); `total` is null while it is unknown. */
    processed: Generated<number>
    total: number | null
    inputs: Json
    outputs: Json
    additional_data: Json
    created_at: Instant
    updated_at: Instant
    started_at: Instant | null
    ended_at: Instant | null
  }
  jobs: {
    job_id: string
    organization_id: string
    namespace_id: string
    kind: string
    lane: 'compute' | 'transfer' | 'quick'
    /** `delayed` becomes `queued` when `run_at` has come. */
    status: 'queued' | 'delayed' | 'running'
    priority: number
    run_at: Instant
    batch_id: string | null
    tier_num: number | null
    attempt: number
    /** Fencing: only the holder of the current token may complete the job. */
    lease_token: string | null
    lease_expires_at: Instant | null
    worker_id: string | null
    last_error: string | null
    created_at: Instant
    payload: Json
  }
  collections: {
    collection_seq: Generated<number>
    namespace_id: string
    collection_id: string
    collection_name: string
    description: string | null
    enabled: Flag
    schema_version: number
    schema_sync_enabled: Flag
    last_schema_sync: Instant | null
    document_count: number
    created_at: Instant
    updated_at: Instant
    source: Json
    feature_extractor: Json
    input_schema: Json
    output_schema: Json
    vector_indexes: Json
    payload_indexes: Json
    source_lineage: Json
    source_bucket_schemas: Json | null
    taxonomy_applications: Json | null
    cluster_applications: Json | null
    alert_applications: Json | null
    retriever_enrichments: Json | null
    schedule: Json | null
    metadata: Json | null
  }
  /** One row a source of a collection, so that "who reads this bucket" is a key look-up. */
  collection_sources: { namespace_id: string; collection_id: string; source_type: string; source_id: string }
  documents: {
    /** Small number that vectors and full text use as their key; never reused. */
    document_seq: Generated<number>
    namespace_id: string
    document_id: string
    collection_id: string
    /** What the document was made from (contract, document identity); stale outputs are found by it. */
    row_key: string
    batch_id: string | null
    root_object_id: string | null
    root_bucket_id: string | null
    source_document_id: string | null
    created_at: Instant
    updated_at: Instant
    /** Root members: user, passthrough and extractor fields. */
    payload: Json
    /** `_internal`. */
    internal: Json
    document_blobs: Json
  }
  vector_indexes: {
    vector_index_id: Generated<number>
    namespace_id: string
    storage_name: string
    feature_uri: string
    dimensions: number
    distance: string
    model_id: string
    model_fingerprint: string
    created_at: Instant
    /** Changes up to this one are no longer in the log; who has not applied them starts anew. */
    changes_trimmed_to: Generated<number>
  }
  /** Float32, little endian, `dimensions` long. */
  vectors: { vector_index_id: number; document_seq: number; collection_id: string; vector: Uint8Array }
  /** What followers of the vectors have yet to apply, in commit order. */
  vector_changes: { change_id: Generated<number>; vector_index_id: number; document_seq: number }
  /** One row a collection that has searchable text. */
  lexical_indexes: {
    collection_seq: number
    namespace_id: string
    created_at: Instant
    changes_trimmed_to: Generated<number>
  }
  /** What keyword search reads of a document. */
  lexical_texts: { collection_seq: number; document_seq: number; text: string }
  /** What followers of the texts have yet to apply, in commit order. */
  lexical_changes: { change_id: Generated<number>; collection_seq: number; document_seq: number }
  retrievers: {
    namespace_id: string
    retriever_id: string
    retriever_name: string
    description: string | null
    version: number
    created_at: Instant
    updated_at: Instant
    created_by: string | null
    collection_identifiers: Json
    collection_ids: Json
    stages: Json
    input_schema: Json
    budget_limits: Json
    cache_config: Json | null
    display_config: Json | null
    feature_dependencies: Json
    tags: Json
    visibility: string
  }
}

/** One row an error code: the wire `type`, the HTTP status, whether a job that meets it may try again. */
export type ErrorRow = { type: string; status: number; retryable: boolean; message: string }

const row = (type: string, status: number, message: string, retryable = false): ErrorRow => ({
  type,
  status,
  retryable,
  message,
})
const badRequest = (message: string, retryable = false) => row('BadRequestError', 400, message, retryable)
const forbidden = (message: string) => row('ForbiddenError', 403, message)
const notFound = (message: string) => row('NotFoundError', 404, message)
const conflict = (message: string) => row('ConflictError', 409, message)
const exists = (message: string) => row('AlreadyExistsError', 409, message)
const invalid = (message: string) => row('ValidationError', 422, message)

/**
 * The only list of error codes. `{name}` in a message is filled from the error's details.
 * Codes are stable: clients match on them.
 */
export const ERRORS = {
  // Transport
  bad_request: badRequest('{reason}'),
  unauthorized: row('UnauthorizedError', 401, 'Send a valid API key as "Authorization: Bearer <key>".'),
  permission_denied: forbidden('This API key lacks the "{permission}" permission.'),
  scope_denied: forbidden('This API key may not use this resource.'),
  origin_denied: forbidden('This API key may not be used from this origin.'),
  too_many_wrong_keys: row(
    'TooManyRequestsError',
    429,
    'Too many wrong API keys came from this address. Wait {retry_after} s.',
  ),
  rate_limited: row(
    'TooManyRequestsError',
    429,
    'The limit of {limit} requests a minute ({api_name}) is reached. Wait {retry_after} s.',
  ),
  route_not_found: notFound('No operation answers {method} {path}. See /docs for the API reference.'),
  method_not_allowed: row(
    'MethodNotAllowedError',
    405,
    '{method} is not allowed on {path}. Allowed: {allowed}.',
  ),
  payload_too_large: row(
    'PayloadTooLargeError',
    413,
    'The request body is over the limit of {limit_bytes} bytes.',
  ),
  headers_too_large: row('BadRequestError', 431, 'The request line and headers are too long.'),
  request_timeout: row('RequestTimeoutError', 408, 'The request did not arrive in time.'),
  validation_error: invalid('Validation error'),
  namespace_required: badRequest('Name the namespace in the X-Namespace header (its id or its name).'),
  namespace_not_found: notFound('Namespace not found'),
  cursor_invalid: badRequest('The cursor is damaged or belongs to another query. Start again without it.'),
  reserved_name: badRequest('The name "{name}" is reserved. Choose another.'),
  empty_update: badRequest('The update changes nothing. Send at least one field to change.'),
  resource_deleting: conflict('The {resource} is being deleted.'),
  not_enabled: row('NotEnabledError', 403, '{feature} is not enabled on this server.'),
  secret_unreadable: row('InternalServerError', 500, 'A stored secret cannot be read with this master key.'),
  // Organization
  user_not_found: notFound('User not found'),
  user_email_taken: exists('A user with the email "{email}" exists already.'),
  last_admin: badRequest('The last active admin of an organization must stay one.'),
  api_key_not_found: notFound('API key not found'),
  api_key_name_taken: exists('The user has an active API key named "{name}" already.'),
  api_key_not_active: badRequest('The API key is {status}; that is final.'),
  key_protected: forbidden(
    'The key "admin-key" and its user belong to the server: set KURA_ROOT_KEY instead.',
  ),
  permission_exceeded: forbidden('A key can never do more than {holder}: {allowed}.'),
  audit_event_not_found: notFound('Audit event not found'),
  secret_name_taken: exists('A secret named "{secret_name}" exists already.'),
  unknown_secret: notFound('Secret not found'),
  // Filters
  filter_operator_unknown: invalid('Unknown filter operator "{operator}". Use one of: {allowed}.'),
  invalid_filter: badRequest('{reason}'),
  invalid_regex: badRequest(
    'The pattern is not a valid regular expression (RE2 syntax, at most 512 characters): {reason}',
  ),
  filter_too_complex: badRequest('The filter is too complex: {reason}.'),
  // Namespaces
  namespace_name_taken: exists('A namespace named "{namespace_name}" exists already.'),
  namespace_cloning: conflict('The namespace is a clone that is not complete. Wait for its task to end.'),
  extractor_immutable: badRequest('Extractors of a namespace can be added, never removed or altered.'),
  payload_index_protected: badRequest('The payload index on "{field}" is built in and cannot be changed.'),
  registry_extractor_not_found: notFound('Feature extractor {name} version {version} not found in registry.'),
  // Buckets
  bucket_not_found: notFound('Bucket not found'),
  bucket_name_taken: exists('A bucket named "{bucket_name}" exists already in this namespace.'),
  bucket_locked: forbidden('The bucket is locked. Unlock it first: PATCH the bucket with is_locked=false.'),
  bucket_inactive: badRequest('The bucket is {status} and takes no writes.'),
  unique_key_immutable: badRequest('The unique key of a bucket is set when it is created and cannot change.'),
  bucket_schema_changed: row(
    'ConflictError',
    409,
    'The schema of the bucket changed while objects were written. Send them again.',
    true,
  ),
  schema_incompatible: badRequest('The new bucket schema does not fit stored objects: {reason}.'),
  // Objects
  object_not_found: notFound('Object not found'),
  schema_validation_failed: invalid('Schema validation failed: {reason}'),
  all_objects_failed: badRequest('Every object of the request failed.'),
  unique_key_missing: invalid('The unique key field "{field}" is missing, null, empty or too long.'),
  unique_key_exists: exists('An object with this unique key exists already.'),
  unique_key_not_found: notFound('No object with this unique key exists.'),
  policy_required: badRequest('The bucket has a unique key: send ?policy=insert, update or upsert.'),
  blob_type_mismatch: invalid('The content of blob "{property}" is {found}, the schema asks for {expected}.'),
  blob_property_ambiguous: invalid('Cannot tell which property the blob belongs to. Name it in "property".'),
  inline_blob_too_large: badRequest(
    'An inline blob may hold at most {limit_bytes} bytes. Use an upload for more.',
  ),
  aggregation_too_large: badRequest('The aggregation is too large: {reason}. Filter more or group by less.'),
  url_not_usable: row('URLValidationError', 400, 'The URL cannot be used: {reason}'),
  url_not_allowed: row('URLValidationError', 400, 'The URL is refused: {reason}'),
  upload_not_found: notFound('Upload not found'),
  upload_not_confirmed: badRequest('The upload is {status}. Confirm it first.'),
  upload_not_pending: badRequest('The upload is {status} and takes no bytes any more.'),
  upload_not_confirmable: badRequest('The upload is {status} and cannot be confirmed. Create a new one.'),
  upload_bytes_missing: badRequest('No bytes have arrived. Send them to the presigned URL, then confirm.'),
  upload_completed: badRequest('The upload is confirmed and cannot be deleted.'),
  upload_expired: badRequest('The upload has expired. Create a new one.'),
  tus_version_required: row('BadRequestError', 412, 'Send the header Tus-Resumable: 1.0.0.'),
  upload_locked: conflict('Another request writes to this upload. Try again in a moment.'),
  quota_exceeded: row('QuotaExceededError', 403, 'The limit of {resource} ({limit}) is reached.'),
  upload_too_large: row('PayloadTooLargeError', 413, 'An upload may hold at most {limit_bytes} bytes.'),
  upload_content_type_mismatch: forbidden('Send the bytes with Content-Type: {expected}.'),
  upload_store_unavailable: row('StorageError', 500, 'The bytes could not be stored. Try again.', true),
  etag_mismatch: badRequest('The stored bytes have another ETag ({actual}).'),
  size_mismatch: badRequest('The stored bytes are {actual}, expected were {expected}.'),
  hash_mismatch: badRequest('The stored bytes have another SHA-256 ({actual}).'),
  blob_property_unknown: badRequest(
    'Cannot tell which property of the bucket schema takes the file. Name it in "blob_property" ({properties}).',
  ),
  object_incomplete: badRequest('The object would lack its required blob {properties}.'),
  // Connections and syncs
  connection_not_found: notFound('Connection not found'),
  connection_name_taken: exists('A connection named "{name}" exists already.'),
  connection_archived: badRequest('The connection is archived; that is final.'),
  connection_inactive: badRequest('The connection is {status}. Activate it or test it first.'),
  connection_test_failed: badRequest('The connection does not work: {reason}'),
  connection_failed: badRequest('The connection failed: {reason}', true),
  connection_not_browsable: badRequest('A {provider_type} connection has no folders to browse.'),
  provider_not_available: badRequest('This server has no provider "{provider_type}". It has: {available}.'),
  source_busy: badRequest('The source asks to slow down.', true),
  source_item_gone: badRequest('The file is gone from the source.'),
  source_item_changed: badRequest('The file changed while it was read.', true),
  source_item_unreadable: badRequest('The file cannot be read: {reason}'),
  source_file_too_large: badRequest('The file is over the limit of {limit_bytes} bytes.'),
  source_value_missing: badRequest('The file has no value for the required "{target}".'),
  source_listing_endless: badRequest('The listing does not end: more than {limit} entries.'),
  sync_not_found: notFound('Sync not found'),
  sync_run_not_found: notFound('Sync run not found'),
  sync_paused: badRequest('The sync is paused. Resume it first.'),
  // Files
  file_not_found: notFound('File not found'),
  range_not_satisfiable: row('BadRequestError', 416, 'The file has only {size_bytes} bytes.'),
  signature_invalid: forbidden('The signed URL is damaged or has expired. Ask for a new one.'),
  // Batches and tasks
  batch_not_found: notFound('Batch not found'),
  objects_not_found: notFound('Some objects do not exist in this bucket.'),
  batch_not_draft: badRequest('Only a DRAFT batch can change; this one is {status}.'),
  batch_finished: badRequest('The batch has ended ({status}) and cannot be submitted again.'),
  batch_empty: badRequest('The batch holds no objects.'),
  no_collections_for_bucket: badRequest('No enabled collection reads this bucket. Create one first.'),
  batch_not_terminal: badRequest('The batch is still {status}. Wait until it has ended.'),
  tier_not_found: notFound('The batch has no such tier'),
  batch_is_draft: badRequest('The batch is a DRAFT: nothing runs that could be canceled.'),
  task_not_found: notFound('Task not found'),
  // Collections
  collection_not_found: notFound('Collection not found'),
  collection_name_taken: exists('A collection named "{collection_name}" exists already in this namespace.'),
  collection_disabled: badRequest('The collection is disabled.'),
  invalid_source: badRequest('{reason}'),
  incompatible_source_schemas: badRequest('The source buckets have different schemas.'),
  feature_extractor_not_found: badRequest('Unknown feature extractor "{name}".'),
  feature_extractor_unknown: notFound('Feature extractor not found'),
  extractor_params_mismatch: badRequest(
    'The parameters differ from those the namespace has locked for this extractor.',
  ),
  extractor_type_mismatch: badRequest('parameters.extractor_type must be "{expected}".'),
  invalid_extractor_parameters: badRequest('{reason}'),
  invalid_chunk_overlap: badRequest('chunk_overlap must be smaller than chunk_size.'),
  input_mapping_field_not_found: badRequest(
    'Input "{input}" maps to "{path}", which the source does not have.',
  ),
  bucket_schema_required: badRequest(
    'The source has no schema, so input mappings cannot be checked. Give the bucket a schema.',
  ),
  unknown_extractor_input: badRequest('The extractor has no input "{input}". Inputs: {available}.'),
  input_type_mismatch: badRequest('Input "{input}" takes {accepted}, but "{path}" is {found}.'),
  input_mapping_required: badRequest('Cannot tell which field feeds input "{input}". Send input_mappings.'),
  field_passthrough_not_found: badRequest(
    'field_passthrough names "{path}", which the source does not have.',
  ),
  field_passthrough_conflict: badRequest('field_passthrough target "{target}" collides: {reason}.'),
  immutable_field: badRequest('"{field}" cannot be changed. Clone the resource instead.'),
  // Documents
  document_not_found: notFound('Document not found'),
  document_already_exists: exists('A document with the id "{document_id}" exists already.'),
  vector_update_not_supported: badRequest(
    '"{field}" is a vector. Updates change fields only; create the document anew to change its vectors.',
  ),
  invalid_cursor: badRequest('The cursor is damaged or belongs to another query. Start again without it.'),
  // Features, models, vectors
  feature_uri_not_found: badRequest('No feature "{feature}" exists here. Available: {available}.'),
  feature_uri_required: badRequest(
    'Several features could be searched. Name one in feature_uri: {candidates}.',
  ),
  feature_not_found: badRequest('No collection in scope has the feature "{feature}".'),
  feature_missing: badRequest('The referenced document has no vector for "{feature}".'),
  vector_dimension_mismatch: badRequest('The vector has {found} dimensions, the index has {expected}.'),
  vector_invalid: badRequest('The vector holds a value that is not a finite number.'),
  modality_not_supported: badRequest('The model {model} cannot read {modality}.'),
  query_modality_unsupported: badRequest('The feature "{feature}" cannot be searched with {modality}.'),
  inference_provider_not_configured: row(
    'InferenceServiceUnavailableError',
    503,
    'No model is configured for the "{slot}" slot.',
  ),
  inference_model_changed: row(
    'InferenceServiceUnavailableError',
    503,
    'The model behind "{feature}" differs from the one that wrote its vectors. Revert it or re-extract.',
  ),
  model_damaged: row(
    'InferenceServiceUnavailableError',
    503,
    'The files of the model "{model}" cannot be used: {reason}.',
  ),
  image_not_decodable: badRequest('The image cannot be decoded: {reason}'),
  inference_failed: row(
    'InferenceServiceUnavailableError',
    503,
    'The model service failed. Try again.',
    true,
  ),
  vector_index_unavailable: row(
    'InferenceServiceUnavailableError',
    503,
    'The vector index is not available right now. Try again.',
    true,
  ),
  // Retrievers
  retriever_not_found: notFound('Retriever not found'),
  retriever_name_taken: exists('A retriever named "{retriever_name}" exists already in this namespace.'),
  retriever_immutable_field: badRequest('"{field}" of a retriever cannot change. Clone it instead.'),
  retriever_input_invalid: invalid("The inputs do not fit the retriever's input_schema."),
  stage_not_found: badRequest('Unknown stage "{stage_id}". Known stages: {available}.'),
  stage_parameters_invalid: invalid('The stage parameters are not valid.'),
  template_error: badRequest('The template cannot be rendered: {reason}'),
  secret_not_found: badRequest('No secret named "{name}" exists.'),
  secret_not_allowed: badRequest('Secrets may not be used in this parameter.'),
  no_search_input: badRequest('Every search of the stage was left without input.'),
  working_set_too_large: badRequest(
    'The pipeline holds more than {limit} documents. Add a filter or a limit.',
  ),
  // Webhooks
  webhook_not_found: notFound('Webhook not found'),
  webhook_delivery_not_found: notFound('Delivery not found'),
  webhook_name_taken: exists('A webhook named "{webhook_name}" exists already.'),
  webhook_inactive: badRequest('The webhook is not active. Activate it first.'),
  webhook_channel_unsigned: badRequest('Channel {channel_index} is no webhook channel: it has no secret.'),
  // Source adapters
  event_not_authentic: row(
    'UnauthorizedError',
    401,
    'Nothing takes these events in, or their signature or secret is wrong.',
  ),
  too_many_wrong_events: row(
    'TooManyRequestsError',
    429,
    'Too many events with a wrong signature came from this address. Wait {retry_after} s.',
  ),
  event_too_large: badRequest('One event may tell of at most {limit} items. Send several.'),
  source_adapter_not_found: notFound('The bucket has no source adapter that takes events in.'),
  source_adapter_disabled: badRequest('The source adapter of the bucket is disabled.'),
  source_event_not_found: notFound('Event not found'),
  source_event_not_failed: badRequest('Only a failed event can be replayed; this one is {status}.'),
  email_not_configured: badRequest('The server cannot send e-mail: the operator has not set smtp_url.'),
  // Faults of the server
  internal_error: row(
    'InternalServerError',
    500,
    'Something went wrong on the server. The request id helps to find it in the log.',
  ),
  processing_error: row('ProcessingError', 500, 'Processing failed.', true),
  storage_error: row('StorageError', 500, 'The file store failed.', true),
  storage_unavailable: row('StorageError', 503, 'The file store is not available: {reason}.', true),
  storage_class_refused: row(
    'StorageError',
    400,
    'The file store does not have this storage class. Change the storage_class of the bucket.',
  ),
  file_archived: row(
    'StorageError',
    409,
    'The file lies in an archive and cannot be read now. Restore it in the file store first.',
  ),
  database_unavailable: row(
    'InternalServerError',
    503,
    'The database is not available right now. Try again.',
    true,
  ),
  // Start-up and operation (never sent to clients)
  interrupted: row('InterruptedError', 500, 'Stopped. Run the command again to go on.'),
  config_invalid: row('ConfigError', 500, '{reason}'),
  database_newer: row(
    'ConfigError',
    500,
    'The database was written by a newer Kura (migration {found}); this one knows up to {known}. Upgrade Kura.',
  ),
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

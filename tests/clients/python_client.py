"""Calls a Kura server through the generated Python client and prints one line of JSON a step.

usage: python_client.py <folder of the package "mixpeek"> <server> <api key>

Every answer is parsed by the client's own models, which refuse unknown enum members, missing
members and values of another type; a step fails when the client raises.
"""

import hashlib
import json
import sys
import time
import traceback
import urllib.request

sys.path.insert(0, sys.argv[1])

import mixpeek as m  # noqa: E402

host, key = sys.argv[2], sys.argv[3]
client = m.ApiClient(m.Configuration(host=host))
org = {"authorization": f"Bearer {key}"}


def step(name, call):
    """Runs one call; the result is None when it failed, and the steps that need it fail too."""
    try:
        result = call()
        print(json.dumps({"step": name, "ok": True, "type": type(result).__name__}), flush=True)
        return result
    except Exception as error:  # noqa: BLE001 - whatever the client raises is the finding
        detail = f"{type(error).__name__}: {error}"[:2000]
        print(json.dumps({"step": name, "ok": False, "error": detail, "trace": traceback.format_exc()[-1500:]}), flush=True)
        return None


def settled(task_id, seconds=60):
    """Polls a task as the client's documentation shows."""
    tasks = m.TasksApi(client)
    end = time.time() + seconds
    while time.time() < end:
        task = tasks.get_task(task_id, **org)
        status = str(getattr(task.status, "value", task.status))
        if status in ("COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"):
            return status
        time.sleep(0.2)
    raise TimeoutError(f"Task {task_id} did not end.")


def expect(actual, wanted):
    if actual != wanted:
        raise AssertionError(f"{actual!r} is not {wanted!r}")
    return actual


def namespaces():
    api = m.NamespacesApi(client)
    name = f"python-client-{int(time.time())}"
    request = m.CreateNamespaceRequest.from_dict(
        {"namespace_name": name, "feature_extractors": [{"feature_extractor_name": "text_extractor", "version": "v1"}]}
    )
    made = step("create namespace", lambda: api.create_namespace(request, **org))
    step("get namespace", lambda: api.get_namespace(name, **org))
    step("list namespaces", lambda: api.list_namespaces(list_namespaces_request=m.ListNamespacesRequest(), **org))
    patch = m.PatchNamespaceRequest.from_dict({"description": "made by a test"})
    step("patch namespace", lambda: api.patch_namespace(name, patch, **org))
    return made


def buckets(scope):
    api = m.BucketsApi(client)
    request = m.BucketCreateRequest.from_dict(
        {
            "bucket_name": "docs",
            "bucket_schema": {
                "properties": {
                    "title": {"type": "string"},
                    "body": {"type": "text"},
                    "count": {"type": "integer"},
                    "scan": {"type": "image"},
                }
            },
            "unique_key": {"fields": ["title"], "default_policy": "upsert"},
        }
    )
    made = step("create bucket", lambda: api.create_bucket(request, **scope))
    step("get bucket", lambda: api.get_bucket("docs", **scope))
    listing = m.ListBucketsRequest.from_dict({"search": "do*"})
    step("list buckets", lambda: expect(api.list_buckets(list_buckets_request=listing, **scope).total_count, 1))
    step("patch bucket", lambda: api.patch_bucket("docs", m.BucketPatchRequest.from_dict({"description": "x"}), **scope))
    step("update bucket", lambda: api.update_bucket("docs", m.BucketUpdateRequest.from_dict({"description": "y"}), **scope))
    return made


def objects(scope):
    api = m.BucketObjectsApi(client)
    blob = {"property": "body", "type": "text", "data": "the kitten sleeps"}
    one = m.CreateObjectRequest.from_dict({"title": "a", "count": 1, "blobs": [blob]})
    made = step("create object", lambda: api.create_object_buckets("docs", one, **scope))
    many = m.CreateObjectsBatchRequest.from_dict(
        {"objects": [{"title": "b", "body": "the engine roars"}, {"title": "c", "body": "soup of carrots"}]}
    )
    batch = step("create objects in a batch", lambda: api.create_objects_batch_buckets("docs", many, **scope))
    step("get object", lambda: api.get_object_buckets("docs", made.object_id, return_presigned_urls=True, **scope))
    step(
        "list objects",
        lambda: expect(
            len(api.list_objects_buckets("docs", list_objects_request=m.ListObjectsRequest(), **scope).results), 3
        ),
    )
    patch = m.PatchObjectRequest.from_dict({"count": 2})
    step("patch object", lambda: api.patch_object_buckets("docs", made.object_id, patch, **scope))
    put = m.UpdateObjectRequest.from_dict({"count": 3})
    step("update object", lambda: api.update_object_buckets("docs", made.object_id, put, **scope))
    aggregation = m.ObjectAggregationRequest.from_dict(
        {"group_by": [{"field": "title"}], "aggregations": [{"function": "count", "alias": "n"}]}
    )
    step(
        "aggregate objects",
        lambda: expect(api.aggregate_objects_buckets("docs", aggregation, **scope).total_groups, 3),
    )
    return [made.object_id] + [one.object_id for one in batch.succeeded]


def uploads(scope):
    api = m.BucketUploadsApi(client)
    body = b"words that came by an upload"
    request = m.CreateUploadRequest.from_dict(
        {
            "filename": "words.txt",
            "content_type": "text/plain",
            "file_size_bytes": len(body),
            "blob_property": "body",
            "object_metadata": {"title": "uploaded"},
            "file_hash": hashlib.sha256(body).hexdigest(),
        }
    )
    made = step("create upload", lambda: api.create_upload_buckets("docs", request, **scope))

    def put(upload):
        sent = urllib.request.Request(
            upload.presigned_url, data=body, method="PUT", headers={"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(sent, timeout=30) as answer:
            return expect(answer.status, 200)

    step("put to the presigned address", lambda: put(made))
    etag = hashlib.md5(body).hexdigest()  # noqa: S324 - what the store answers with
    confirm = m.ConfirmUploadRequest.from_dict({"file_size_bytes": len(body), "etag": etag})
    done = step("confirm upload", lambda: api.confirm_upload_buckets("docs", made.upload_id, confirm, **scope))
    step("get upload", lambda: api.get_upload_buckets("docs", made.upload_id, return_presigned_urls=True, **scope))
    step("list uploads", lambda: api.list_uploads_buckets("docs", list_uploads_request=m.ListUploadsRequest(), **scope))
    several = m.BatchUploadRequest.from_dict(
        {
            "uploads": [
                {
                    "filename": f"{i}.txt",
                    "content_type": "text/plain",
                    "file_size_bytes": len(body),
                    "blob_property": "body",
                    "object_metadata": {"title": f"several {i}"},
                    "skip_duplicates": False,
                }
                for i in range(2)
            ]
        }
    )
    batch = step("create uploads in a batch", lambda: api.create_uploads_batch_buckets("docs", several, **scope))
    for upload in batch.uploads if batch else []:
        put(upload)
    confirms = m.BatchConfirmRequest.from_dict({"confirmations": [{"upload_id": u.upload_id} for u in batch.uploads]})
    task = step("confirm uploads in a batch", lambda: api.confirm_uploads_batch_buckets("docs", confirms, **scope))
    step("batch confirm ends", lambda: expect(settled(task.task_id), "COMPLETED"))
    request.filename, request.object_metadata = "late.txt", {"title": "late"}
    request.skip_duplicates = False
    late = step("create another upload", lambda: api.create_upload_buckets("docs", request, **scope))
    step("delete upload", lambda: api.delete_upload_buckets("docs", late.upload_id, **scope))
    return done.object_id


def collections(scope, bucket):
    api = m.CollectionsApi(client)
    request = m.CreateCollectionRequest.from_dict(
        {
            "collection_name": "texts",
            "source": {"type": "bucket", "bucket_ids": [bucket.bucket_id]},
            "feature_extractor": {
                "feature_extractor_name": "text_extractor",
                "version": "v1",
                "input_mappings": {"text": "body"},
                "field_passthrough": [{"source_path": "title"}],
            },
        }
    )
    step("create collection", lambda: api.create_collection(request, **scope))
    step("get collection", lambda: api.get_collection("texts", **scope))
    step("list collections", lambda: api.list_collections(list_collections_request=m.ListCollectionsRequest(), **scope))
    step("describe features", lambda: api.describe_collection_features("texts", **scope))


def batches(scope, object_ids):
    api = m.BucketBatchesApi(client)
    first, *rest = object_ids
    made = step("create batch", lambda: api.create_batch_buckets_batches("docs", m.CreateBatchRequest(object_ids=[first]), **scope))
    more = m.AddObjectsToBatchRequest(object_ids=rest)
    step("add objects", lambda: api.add_objects_to_batch_buckets_batches("docs", made.batch_id, more, **scope))
    patch = m.PatchBatchRequest.from_dict({"metadata": {"by": "a test"}})
    step("patch batch", lambda: api.patch_batch_buckets_batches("docs", made.batch_id, patch, **scope))
    submit = m.SubmitBatchRequest()
    task = step("submit batch", lambda: api.submit_batch_buckets_batches("docs", made.batch_id, submit_batch_request=submit, **scope))
    step("batch ends", lambda: expect(settled(task.task_id), "COMPLETED"))
    step("get batch", lambda: api.get_batch_buckets_batches("docs", made.batch_id, **scope))
    listing = m.ListBatchesRequest()
    step("list batches", lambda: api.list_batches_buckets("docs", list_batches_request=listing, **scope))
    step("failed documents", lambda: api.get_failed_documents_buckets_batches_batch("docs", made.batch_id, **scope))
    step("batch logs", lambda: api.get_batch_logs_buckets_batches("docs", made.batch_id, **scope))
    retry = m.RetryBatchRequest()
    step("retry batch", lambda: api.retry_batch_buckets_batches("docs", made.batch_id, retry, **scope))
    step(
        "retry vector write",
        lambda: api.retry_qdrant_write_buckets_batches_batch_id_tiers_num("docs", made.batch_id, 0, **scope),
    )
    step("get task", lambda: m.TasksApi(client).get_task(task.task_id, **org))
    step("list tasks", lambda: m.TasksApi(client).list_tasks(list_tasks_request=m.ListTasksRequest(), **org))
    step("kill a finished task", lambda: m.TasksApi(client).kill_task(task.task_id, **org))
    draft = api.create_batch_buckets_batches("docs", m.CreateBatchRequest(object_ids=[first]), **scope)
    step("delete batch", lambda: api.delete_batch_buckets_batches("docs", draft.batch_id, **scope))


def search(scope, object_ids):
    documents = m.CollectionDocumentsApi(client)
    listing = m.ListDocumentsRequest()
    found = step("list documents", lambda: documents.list_documents("texts", list_documents_request=listing, **scope))
    document_id = found.results[0].document_id
    step("get document", lambda: documents.get_document("texts", document_id, return_vectors=True, **scope))
    lineage = m.DocumentLineageApi(client)
    step("document lineage", lambda: lineage.get_document_lineage("texts", document_id, **scope))
    step("documents of an object", lambda: lineage.get_documents_by_object(object_ids[0], **scope))
    step("decomposition tree", lambda: lineage.get_decomposition_tree_objects(object_ids[0], **scope))
    query = {"input_mode": "text", "value": "{{INPUT.query}}"}
    uri = "mixpeek://text_extractor@v1/multilingual_e5_large_instruct_v1"
    stages = [
        {
            "stage_name": "find",
            "stage_type": "filter",
            "config": {
                "stage_id": "feature_search",
                "parameters": {"searches": [{"feature_uri": uri, "query": query, "top_k": 10}], "final_top_k": 10},
            },
        }
    ]
    definition = {
        "collection_identifiers": ["texts"],
        "input_schema": {"query": {"type": "text", "required": True}},
        "stages": stages,
    }
    api = m.RetrieversApi(client)
    request = m.CreateRetrieverRequest.from_dict({"retriever_name": "find", **definition})
    step("create retriever", lambda: api.create_retriever(request, **scope))
    step("get retriever", lambda: api.get_retriever("find", **scope))
    step("list retrievers", lambda: api.list_retrievers(list_retrievers_request=m.ListRetrieversRequest(), **scope))
    inputs = {"query": "sleeping cat"}
    step("execute retriever", lambda: api.execute_retriever("find", m.ExecuteRetrieverRequest(inputs=inputs), **scope))
    ad_hoc = m.AdhocExecuteRequest.from_dict({**definition, "inputs": inputs})
    step("execute ad hoc", lambda: m.AdhocRetrieversApi(client).execute_adhoc_retriever(ad_hoc, **scope))
    step("delete retriever", lambda: api.delete_retriever("find", **scope))


def webhooks():
    api = m.WebhooksApi(client)
    hook = {
        "webhook_name": "python client",
        "event_types": ["object.created", "collection.documents.written"],
        "channels": [{"channel": "webhook", "configs": {"url": "https://example.com/hook"}}],
    }
    made = step("create webhook", lambda: api.create_webhook_organizations(m.WebhookInput.from_dict(hook), **org))
    step("get webhook", lambda: api.get_webhook_organizations(made.webhook_id, **org))
    step("list webhooks", lambda: api.list_webhooks_organizations(list_webhooks_request=m.ListWebhooksRequest(), **org))
    changed = m.WebhookInput.from_dict({**hook, "is_active": False})
    step("update webhook", lambda: api.update_webhook_organizations(made.webhook_id, changed, **org))
    step("delete webhook", lambda: api.delete_webhook_organizations(made.webhook_id, **org))


def syncs(scope, bucket):
    api = m.OrganizationConnectionsApi(client)
    wanted = {
        "name": f"python client {int(time.time())}",
        "provider_type": "s3",
        "provider_config": {
            "provider_type": "s3",
            "credentials": {"type": "access_key", "access_key_id": "A" * 20, "secret_access_key": "s" * 40},
            "region": "us-east-1",
            "endpoint_url": "https://s3.example.com",
        },
        "test_before_save": False,
    }
    request = m.StorageConnectionCreateRequest.from_dict(wanted)
    made = step("create connection", lambda: api.create_storage_connection_organizations(request, **org))
    step("get connection", lambda: api.get_storage_connection_organizations(made.connection_id, **org))
    listing = m.ListStorageConnectionsRequest()
    step("list connections", lambda: api.list_storage_connections_organizations(list_storage_connections_request=listing, **org))
    change = m.StorageConnectionUpdateRequest.from_dict({"description": "made by a test"})
    step("update connection", lambda: api.update_storage_connection_organizations(made.connection_id, change, **org))
    step("test connection", lambda: api.test_storage_connection_organizations(made.connection_id, **org))
    api = m.BucketSyncsApi(client)
    sync = m.SyncCreateRequest.from_dict({"connection_id": made.connection_id, "source_path": "media/photos"})
    one = step("create sync", lambda: api.create_sync_configuration_buckets(bucket.bucket_id, sync, **scope))
    ids = (bucket.bucket_id, one.sync_config_id) if one else (bucket.bucket_id, "")
    step("get sync", lambda: api.get_sync_configuration_buckets_id_config(*ids, **scope))
    listing = m.ListSyncConfigurationsRequest()
    step("list syncs", lambda: api.list_sync_configurations_buckets(ids[0], list_sync_configurations_request=listing, **scope))
    step("trigger sync", lambda: api.trigger_sync_configuration_buckets_id_config(*ids, **scope))
    step("pause sync", lambda: api.pause_sync_configuration_buckets_id_config(*ids, **scope))
    step("resume sync", lambda: api.resume_sync_configuration_buckets_id_config(*ids, **scope))
    change = m.SyncUpdateRequest.from_dict({"polling_interval_seconds": 600})
    step("update sync", lambda: api.update_sync_configuration_buckets_id_config(*ids, change, **scope))
    step("delete sync", lambda: api.delete_sync_configuration_buckets_id_config(*ids, **scope))
    api = m.OrganizationConnectionsApi(client)
    step("delete connection", lambda: api.delete_storage_connection_organizations(made.connection_id, **org))


def organization():
    step("get organization", lambda: m.OrganizationsApi(client).get_organization(**org))
    update = m.OrganizationUpdateRequest.from_dict({"metadata": {"by": "a test"}})
    step("update organization", lambda: m.OrganizationsApi(client).update_organization(update, **org))
    users = m.OrganizationUsersApi(client)
    email = f"client-{int(time.time())}@example.com"
    user = m.UserCreateRequest.from_dict({"email": email, "user_name": "Client", "role": "member"})
    step("create user", lambda: users.create_user_organizations(user, **org))
    step("get user", lambda: users.get_user_organizations_email(email, **org))
    step("list users", lambda: users.list_users_organizations(**org))
    step("update user", lambda: users.update_user_organizations_email(email, m.UserUpdateRequest.from_dict({"user_name": "Client C"}), **org))
    keys = m.OrganizationAPIKeysApi(client)
    wanted = m.APIKeyCreateRequest.from_dict({"name": "ci", "permissions": ["read"]})
    made = step("create key", lambda: keys.create_key_organizations_users_email(email, wanted, **org))
    step("list keys", lambda: keys.list_keys_organizations_users_email(email, **org))
    change = m.APIKeyUpdateRequest.from_dict({"description": "for tests"})
    step("update key", lambda: keys.update_key_organizations_users_email_name(email, "ci", change, **org))
    step("rotate key", lambda: keys.rotate_key_organizations_users_email_name(email, "ci", **org))
    usage = m.OrganizationUsageApi(client)
    step("organization usage", lambda: usage.get_org_usage_organizations(**org))
    step("key usage", lambda: usage.get_key_usage_organizations(made.key_id, **org))
    step("key usage by endpoint", lambda: usage.get_key_breakdown_organizations_id_usage_endpoints(made.key_id, **org))
    step("delete key", lambda: keys.delete_key_organizations_users_email_name(email, "ci", **org))
    step("delete user", lambda: users.delete_user_organizations_email(email, **org))
    secrets = m.OrganizationSecretsApi(client)
    secret = m.CreateSecretRequest.from_dict({"secret_name": "token", "secret_value": "hidden"})
    step("create secret", lambda: secrets.create_secret_organizations(secret, **org))
    step("list secrets", lambda: secrets.list_secrets_organizations(**org))
    changed = m.UpdateSecretRequest.from_dict({"secret_value": "hidden too"})
    step("update secret", lambda: secrets.update_secret_organizations_name("token", changed, **org))
    step("delete secret", lambda: secrets.delete_secret_organizations_name("token", **org))
    audit = m.OrganizationAuditApi(client)
    step("list audit logs", lambda: audit.list_audit_logs_organizations(**org))
    step("audit settings", lambda: audit.get_audit_settings_organizations(**org))


def main():
    step("health", lambda: m.HealthApi(client).healthcheck_health())
    namespace = namespaces()
    scope = {**org, "x_namespace": namespace.namespace_id}
    bucket = buckets(scope)
    object_ids = objects(scope)
    object_ids.append(uploads(scope))
    collections(scope, bucket)
    batches(scope, object_ids)
    search(scope, object_ids)
    webhooks()
    syncs(scope, bucket)
    organization()
    api = m.BucketObjectsApi(client)
    step("delete object", lambda: api.delete_object_buckets("docs", object_ids[0], **scope))
    clone = m.CloneNamespaceRequest.from_dict({"namespace_name": f"{namespace.namespace_name}-copy"})
    copied = step("clone namespace", lambda: m.NamespaceCloneApi(client).clone_namespace(namespace.namespace_id, clone, **org))
    step("clone ends", lambda: expect(settled(copied.task_id), "COMPLETED"))
    step("delete collection", lambda: m.CollectionsApi(client).delete_collection("texts", **scope))
    gone = step("delete bucket", lambda: m.BucketsApi(client).delete_bucket("docs", **scope))
    step("bucket delete ends", lambda: expect(settled(gone["task_id"]), "COMPLETED"))
    step("delete namespace", lambda: m.NamespacesApi(client).delete_namespace(namespace.namespace_id, **org))


if __name__ == "__main__":
    main()

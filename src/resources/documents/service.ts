import { KuraError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { type DocumentRecord, readDocuments } from '../../engine/documents/record.ts'
import { removeDocuments } from '../../engine/ingest/remove-documents.ts'
import { type Db, inTransaction } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { Models } from '../../platform/models/models.ts'
import type { FilterUses } from '../../platform/usage/filter-uses.ts'
import { type CollectionRecord, findCollection } from '../collections/index.ts'
import { decompositionTree } from './decomposition.ts'
import { documentLineage } from './lineage.ts'
import type {
  DecompositionTree,
  DocumentLineage,
  ObjectDocuments,
  ObjectDocumentsQuery,
} from './lineage-schemas.ts'
import { listDocuments } from './list.ts'
import { objectDocuments } from './object-documents.ts'
import { presentDocument } from './present.ts'
import type {
  CreateDocumentBody,
  DocumentResponse,
  GetDocumentQuery,
  ListDocumentsBody,
  ListDocumentsResponse,
} from './schemas.ts'
import { readCollectionVectors } from './vectors.ts'
import { createDocument, editDocument } from './write.ts'

/** How long a URL in a document works. */
const URL_SECONDS = 3600

export type DocumentServiceOptions = {
  db: Db
  files: Files
  models: Pick<Models, 'describe'>
  filterUses: Pick<FilterUses, 'count'>
}

export class DocumentService {
  readonly #db: Db
  readonly #files: Files
  readonly #models: Pick<Models, 'describe'>
  readonly #filterUses: Pick<FilterUses, 'count'>

  constructor({ db, files, models, filterUses }: DocumentServiceOptions) {
    this.#db = db
    this.#files = files
    this.#models = models
    this.#filterUses = filterUses
  }

  /** Throws `collection_not_found`, and `document_not_found` also when the document is in another collection. */
  async get(
    scope: Scope,
    { collection_identifier, document_id }: { collection_identifier: string; document_id: string },
    query: GetDocumentQuery & { base_url: string },
  ): Promise<DocumentResponse> {
    const collection = await findCollection(this.#db, scope, collection_identifier)
    const document = await this.#find(scope, collection, document_id)
    const vectors = query.return_vectors
      ? await readCollectionVectors(this.#db, scope, collection, [document.document_seq])
      : undefined
    const isSigned = query.return_presigned_urls || query.return_url
    return presentDocument(document, {
      namespace_id: scope.namespaceId,
      ...(isSigned && { signUrl: this.#signer(scope, query.base_url) }),
      ...(vectors && { vectors }),
    })
  }

  async list(
    scope: Scope,
    collection_identifier: string,
    body: ListDocumentsBody,
    { page, base_url }: { page: PageRequest; base_url: string },
  ): Promise<ListDocumentsResponse> {
    const collection = await findCollection(this.#db, scope, collection_identifier)
    const signUrl = this.#signer(scope, base_url)
    return listDocuments(this.#db, scope, collection, { body, page, signUrl, uses: this.#filterUses })
  }

  /** Where a document comes from. */
  async lineage(
    scope: Scope,
    { collection_id, document_id }: { collection_id: string; document_id: string },
  ): Promise<DocumentLineage> {
    const collection = await findCollection(this.#db, scope, collection_id)
    return documentLineage(this.#db, scope, await this.#find(scope, collection, document_id))
  }

  /** What was made of an object. */
  ofObject(
    scope: Scope,
    object_id: string,
    { query, page, base_url }: { query: ObjectDocumentsQuery; page: PageRequest; base_url: string },
  ): Promise<ObjectDocuments> {
    const { collection_ids } = query
    return objectDocuments(this.#db, scope, object_id, {
      collections: collection_ids ? [collection_ids].flat() : null,
      page,
      ...(query.return_presigned_urls && { signUrl: this.#signer(scope, base_url) }),
    })
  }

  decomposition(
    scope: Scope,
    object_id: string,
    options: { include_document_ids: boolean },
  ): Promise<DecompositionTree> {
    return decompositionTree(this.#db, scope, object_id, options)
  }

  /** Adds a document made by hand; no extractor runs. */
  async create(
    scope: Scope,
    collection_identifier: string,
    body: CreateDocumentBody,
  ): Promise<DocumentResponse> {
    const collection = await findCollection(this.#db, scope, collection_identifier)
    const document_id = await createDocument({ db: this.#db, models: this.#models }, scope, collection, body)
    return this.#show(scope, collection, document_id)
  }

  /** `patch` merges the fields into the document, `replace` makes them all that it has. */
  async edit(
    scope: Scope,
    { collection_identifier, document_id }: { collection_identifier: string; document_id: string },
    edit: { fields: JsonObject; mode: 'patch' | 'replace' },
  ): Promise<DocumentResponse> {
    const collection = await findCollection(this.#db, scope, collection_identifier)
    await editDocument(this.#db, scope, collection, document_id, edit)
    return this.#show(scope, collection, document_id)
  }

  /** Removes one document with its vectors and files; documents made from it stay. */
  async delete(scope: Scope, collection_identifier: string, document_id: string): Promise<void> {
    const collection = await findCollection(this.#db, scope, collection_identifier)
    const document = await this.#find(scope, collection, document_id)
    const { orphans } = await inTransaction(this.#db, (trx) =>
      removeDocuments(trx, scope, this.#files, [document]),
    )
    await this.#files.deleteBytes(orphans)
  }

  async #show(scope: Scope, collection: CollectionRecord, document_id: string): Promise<DocumentResponse> {
    const document = await this.#find(scope, collection, document_id)
    return presentDocument(document, { namespace_id: scope.namespaceId })
  }

  async #find(scope: Scope, collection: CollectionRecord, document_id: string): Promise<DocumentRecord> {
    const [document] = await readDocuments(this.#db, scope, { document_ids: [document_id] })
    if (document?.collection_id !== collection.collection_id)
      throw new KuraError('document_not_found', { resource: 'document', id: document_id })
    return document
  }

  #signer(scope: Scope, base_url: string): (file_id: string) => string {
    return (file_id) => this.#files.signedUrl(scope, file_id, { expires_in_seconds: URL_SECONDS, base_url })
  }
}

import { KuraError } from '../../core/errors.ts'
import type { PageRequest } from '../../core/pagination.ts'
import type { Scope } from '../../core/scope.ts'
import { describeExtractor, type ExtractorDescription } from '../../extractors/catalogue.ts'
import type { Registry } from '../../extractors/registry.ts'
import type { Db } from '../../platform/db/db.ts'
import type { Files } from '../../platform/files/files.ts'
import type { Models } from '../../platform/models/models.ts'
import type { JobQueue } from '../../platform/queue/queue.ts'
import { createCollection } from './create.ts'
import { deleteCollection } from './delete.ts'
import { describeFeatures } from './features.ts'
import { listCollections } from './list.ts'
import { presentCollection } from './present.ts'
import { type CollectionRecord, findCollection } from './record.ts'
import { countRetrievers } from './retriever-counts.ts'
import type {
  CollectionFeatures,
  CollectionResponse,
  CreateCollectionBody,
  DeleteCollectionResponse,
  ListCollectionsBody,
  ListCollectionsResponse,
  UpdateCollectionBody,
} from './schemas.ts'
import { updateCollection } from './update.ts'

type Options = {
  db: Db
  files: Files
  queue: JobQueue
  extractors: Registry
  models: Pick<Models, 'describe'>
}

export class CollectionService {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  async create(scope: Scope, body: CreateCollectionBody): Promise<CollectionResponse> {
    return this.#present(scope, await createCollection(this.#options, scope, body))
  }

  async get(scope: Scope, identifier: string): Promise<CollectionResponse> {
    return this.#present(scope, await findCollection(this.#options.db, scope, identifier))
  }

  list(scope: Scope, body: ListCollectionsBody, page: PageRequest): Promise<ListCollectionsResponse> {
    return listCollections(this.#options.db, scope, body, page)
  }

  async update(scope: Scope, identifier: string, body: UpdateCollectionBody): Promise<CollectionResponse> {
    return this.#present(scope, await updateCollection(this.#options.db, scope, identifier, body))
  }

  delete(scope: Scope, identifier: string): Promise<DeleteCollectionResponse> {
    return deleteCollection(this.#options, scope, identifier)
  }

  async features(scope: Scope, identifier: string): Promise<CollectionFeatures> {
    return describeFeatures(await findCollection(this.#options.db, scope, identifier))
  }

  listExtractors(): ExtractorDescription[] {
    const { extractors, models } = this.#options
    return extractors.all.map((extractor) => describeExtractor(extractor, models))
  }

  /** By `name_version`, `name@version` or bare name; throws `feature_extractor_unknown`. */
  getExtractor(id: string): ExtractorDescription {
    const { extractors, models } = this.#options
    const extractor = extractors.find(id)
    if (!extractor) throw new KuraError('feature_extractor_unknown', { resource: 'feature_extractor', id })
    return describeExtractor(extractor, models)
  }

  async #present(scope: Scope, record: CollectionRecord): Promise<CollectionResponse> {
    const counts = await countRetrievers(this.#options.db, scope)
    return presentCollection(record, { retriever_count: counts(record) })
  }
}

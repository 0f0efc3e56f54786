export { type DeleteCollectionPayload, finishCollectionDelete } from './delete.ts'
export {
  type CollectionRecord,
  collectionNotFound,
  collectionsByIds,
  findCollection,
  findCollections,
  listConsumers,
  sourceCollections,
  toConfig,
} from './record.ts'
export { collectionRoutes } from './routes.ts'
export { CollectionService } from './service.ts'

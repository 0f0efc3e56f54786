export { createObjectService } from './create-service.ts'
export { objectRoutes } from './routes.ts'
export type { ObjectService, ProcessObjects, StartedBatch } from './service.ts'

export { createObjectService } from './create-service.ts'
export { type ObjectRecord, readObjects, setObjectStatus } from './records.ts'
export { objectRoutes } from './routes.ts'
export type { ObjectService, ProcessObjects, StartedBatch } from './service.ts'

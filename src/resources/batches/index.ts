export { cancelBatch, cancelTaskOfBatch } from './cancel.ts'
export { batchRoutes } from './routes.ts'
export { BatchService } from './service.ts'

export { ExecuteService } from './execute.ts'
export { retrieverRoutes } from './routes.ts'
export { RetrieverService } from './service.ts'

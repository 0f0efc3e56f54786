export { syncRoutes } from './routes.ts'
export { SyncService } from './service.ts'
export { suspendSyncs } from './store.ts'

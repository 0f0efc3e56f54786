export { syncRoutes } from './routes.ts'
export { SyncService } from './service.ts'
export { cancelTaskOfSync, suspendSyncs } from './store.ts'

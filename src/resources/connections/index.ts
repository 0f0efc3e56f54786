export { createOpenAddress } from './open-address.ts'
export { connectionRoutes } from './routes.ts'
export { ConnectionService } from './service.ts'
export { type ConnectionRow, FAILURES_MAX, findConnection, recordUse } from './store.ts'

export { ensureDefaultNamespace } from './default.ts'
export { namespaceLookup } from './lookup.ts'
export { namespaceRoutes } from './routes.ts'
export { NamespaceService } from './service.ts'

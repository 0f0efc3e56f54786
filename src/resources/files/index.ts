export { fileRoutes, ownerOf } from './routes.ts'

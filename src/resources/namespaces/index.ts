export { namespaceLookup } from './lookup.ts'

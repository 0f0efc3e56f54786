export { type Bootstrap, bootstrap } from './bootstrap.ts'
export { findCaller } from './store.ts'

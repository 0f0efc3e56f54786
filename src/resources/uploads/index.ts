export { type TakenUpload, takeUpload } from './take.ts'

export { type BucketRecord, bucketNotFound, findBucket, requireWritable } from './record.ts'
export { changeBatchStats, changeObjectStats, type ObjectChanges } from './stats.ts'

import type { Effects } from './engine/ingest/deps.ts'
import { changeBatchStats } from './resources/buckets/index.ts'
import { advanceTasks, insertTask, updateTask } from './resources/tasks/index.ts'

/** Writes of other resources that ingestion causes; apart from the engine, which the API process does not load. */
export const ingestEffects: Effects = { insertTask, updateTask, advanceTasks, changeBatchStats }

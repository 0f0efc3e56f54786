/** Payloads of the jobs of a batch; they are JSON in the queue. */

/** Where the enumeration of a tier's rows goes on; `source` counts the sources of the collection. */
export type PlanCursor = { source: number; after: (string | number)[] | null }

/**
 * The task of the run of the batch that a job belongs to: after a cancellation and a retry, jobs of the
 * run before must not settle those of the next. Absent in jobs of older programs.
 */
type OfRun = { task_id?: string }

export type PlanTierPayload = OfRun & {
  collection_id: string
  cursor: PlanCursor | null
  /** Only documents written at or after it; absent: those of the batch's retry, null: all. */
  since?: string | null
  /** Only documents written before it: others are read by another job. */
  before?: string | null
}

/** Rows of one extract job: enough to fill a model's batch, few enough to lose when a worker dies. */
export const JOB_ROWS_MAX = 64

export type ExtractPayload = OfRun & {
  collection_id: string
  /** Object ids in tier 0 of a bucket batch, else ids of upstream documents. */
  rows: string[]
  /** How often rows have been retried on request, for rows that were. */
  retry_counts?: Record<string, number>
}

/** Objects get their final state in slices, in the order of their position in the batch. */
export type FinishBatchPayload = OfRun & { cursor: number | null }

export type TierPayload = PlanTierPayload | ExtractPayload | FinishBatchPayload

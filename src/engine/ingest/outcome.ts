import type { TaskStatus } from '../../core/task-status.ts'

/** What decides how a collection, and so its tier and batch, ended. */
export type Counts = { status: string; documents_written: number; rows_failed: number }

/** How one collection of a tier ended (contract, tiered execution). */
export function collectionOutcome({ status, documents_written, rows_failed }: Counts): TaskStatus {
  if (status === 'SKIPPED') return 'SKIPPED'
  if (rows_failed === 0) return 'COMPLETED'
  return documents_written === 0 ? 'FAILED' : 'COMPLETED_WITH_ERRORS'
}

/** How a tier ended: FAILED only when it wrote nothing and something failed. */
export function tierOutcome(collections: readonly Counts[]): TaskStatus {
  const ran = collections.filter(({ status }) => status !== 'SKIPPED')
  if (ran.length === 0) return 'SKIPPED'
  return collectionOutcome({
    status: 'IN_PROGRESS',
    documents_written: sum(ran.map((one) => one.documents_written)),
    rows_failed: sum(ran.map((one) => one.rows_failed)),
  })
}

/** Worst last; states that are not listed are not ends of work that ran. */
const BY_SEVERITY: readonly string[] = ['SKIPPED', 'COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'CANCELED']

/** A batch is as bad as its worst tier. */
export function batchOutcome(tiers: readonly string[]): TaskStatus {
  const worst = Math.max(...tiers.map((status) => BY_SEVERITY.indexOf(status)))
  return (BY_SEVERITY[worst] ?? 'COMPLETED') as TaskStatus
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)

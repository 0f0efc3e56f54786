import Type, { type Static } from 'typebox'

/** The states that tasks, batches, tiers and objects share on the wire. QUEUED and INTERRUPTED are read, never sent. */
export const TaskStatusEnum = Type.Enum(
  [
    'PENDING',
    'QUEUED',
    'IN_PROGRESS',
    'PROCESSING',
    'COMPLETED',
    'COMPLETED_WITH_ERRORS',
    'FAILED',
    'CANCELED',
    'INTERRUPTED',
    'UNKNOWN',
    'SKIPPED',
    'DRAFT',
    'ACTIVE',
    'ARCHIVED',
    'SUSPENDED',
  ],
  { $id: 'TaskStatusEnum' },
)
export type TaskStatus = Static<typeof TaskStatusEnum>

/** States that never change again. */
export const TERMINAL_STATUSES = [
  'COMPLETED',
  'COMPLETED_WITH_ERRORS',
  'FAILED',
  'CANCELED',
  'SKIPPED',
] as const satisfies readonly TaskStatus[]

export const isTerminal = (status: string): boolean =>
  (TERMINAL_STATUSES as readonly string[]).includes(status)

/** States of newer or older clients, as the states that are stored. */
const STORED: Partial<Record<TaskStatus, TaskStatus>> = {
  QUEUED: 'PENDING',
  PROCESSING: 'IN_PROGRESS',
  INTERRUPTED: 'FAILED',
}

/** The stored form of a status that a client asks for. */
export const storedStatus = (status: TaskStatus): TaskStatus => STORED[status] ?? status

import { Cron } from 'croner'
import { valueError } from '../../core/errors.ts'
import type { SyncSettings } from './settings.ts'

/** A sync asked to run more often than this would only wait for itself. */
const SHORTEST_INTERVAL_MS = 30_000

/** Throws a 422 unless the expression is a cron expression (UTC) that will come true, at most every 30 seconds. */
export function checkSchedule(schedule: string): void {
  const loc = ['body', 'schedule']
  let runs: Date[]
  // A single date would come true once, and a sync has no word for being over by its clock.
  if (!schedule.startsWith('@') && ![5, 6].includes(schedule.trim().split(/\s+/).length))
    throw valueError(loc, 'Input should be a cron expression, such as "0 3 * * *"')
  try {
    runs = new Cron(schedule, { timezone: 'UTC', paused: true }).nextRuns(10)
  } catch {
    throw valueError(loc, 'Input should be a cron expression, such as "0 3 * * *"')
  }
  if (runs.length === 0) throw valueError(loc, 'The schedule never comes true')
  for (const [i, run] of runs.entries())
    if (i > 0 && run.getTime() - runs[i - 1]!.getTime() < SHORTEST_INTERVAL_MS)
      throw valueError(loc, 'The schedule may not come true more often than every 30 seconds')
}

/** When the next run is due, in milliseconds since 1970. */
export function nextRunAt({ schedule, polling_interval_seconds }: SyncSettings, now_ms: number): number {
  const next = schedule
    ? new Cron(schedule, { timezone: 'UTC', paused: true }).nextRun(new Date(now_ms))
    : null
  return next?.getTime() ?? now_ms + polling_interval_seconds * 1000
}

import { isObject } from '../../core/json.ts'

const MODES: Record<string, string> = { one_time: 'initial_only', scheduled: 'continuous' }

/** The texts name modes that the enum does not have (contract, syncs). */
export function normalizeSync(body: unknown): unknown {
  if (!isObject(body) || typeof body.sync_mode !== 'string') return body
  const mode = body.sync_mode.toLowerCase()
  return { ...body, sync_mode: MODES[mode] ?? mode }
}

/** `paused` is a word for SUSPENDED. */
export function normalizeStatus(body: unknown): unknown {
  if (!isObject(body) || typeof body.status !== 'string') return body
  return body.status.toLowerCase() === 'paused' ? { ...body, status: 'SUSPENDED' } : body
}

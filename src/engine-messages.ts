import type { Config } from './config.ts'

/** What the supervisor tells an engine process. The first message configures it: secrets stay out of its environment. */
export type ToEngine = { type: 'start'; config: Config; worker_id: string } | { type: 'wake' }

/** What an engine process tells the supervisor. */
export type FromEngine =
  /** Jobs may be due for others. */
  | { type: 'wake' }
  /** It lives, and its event loop turns. */
  | { type: 'pulse'; rss_bytes: number }

/** Pulses come this often. */
export const PULSE_MS = 1000

import type { RateCategory } from './permissions.ts'

/** One answered request of a key, as usage counts it. */
export type AnsweredRequest = {
  organization_id: string
  key_id: string
  /** Method and pattern of the path. */
  endpoint: string
  category: RateCategory
  is_error: boolean
  latency_ms: number
}

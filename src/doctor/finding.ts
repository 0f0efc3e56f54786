/** One thing that was compared; `problems` is 0 when both sides agree. */
export type Finding = {
  check: string
  /** How many rows, files or vectors were looked at. */
  examined: number
  problems: number
  /** How many of the problems were mended in this run. */
  repaired: number
  detail: string
}

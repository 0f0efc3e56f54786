/** What one run of `kura ingest` did. */
export type IngestReport = {
  bucket: string
  retriever: string
  found: number
  /** In the bucket already, unchanged and processed. */
  unchanged: number
  uploaded: number
  processed: number
  failed: { path: string; reason: string }[]
  skipped: { path: string; reason: string }[]
  took_ms: number
}

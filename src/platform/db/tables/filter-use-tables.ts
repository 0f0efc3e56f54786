/** How often filters of documents asked for a field. */
export type FilterUseTables = {
  /** One row a namespace, field and hour in which the field was used. */
  filter_uses: {
    namespace_id: string
    /** As in a filter, without `metadata.` before it. */
    field: string
    /** Hours since 1970. */
    hour: number
    uses: number
  }
}

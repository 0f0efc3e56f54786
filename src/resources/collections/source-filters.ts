import { parseFilter } from '../../core/filters/parse.ts'
import type { StoredSource } from './record.ts'

/** Throws `invalid_filter` for source filters that could never be evaluated, when they are saved and not when they run. */
export function checkSourceFilters({ source_filters }: Pick<StoredSource, 'source_filters'>): void {
  parseFilter(source_filters?.filters, {
    profile: 'document',
    loc: ['body', 'source', 'source_filters', 'filters'],
  })
}

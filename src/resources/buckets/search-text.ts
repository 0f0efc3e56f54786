import { foldCase } from '../../core/filters/fold.ts'
import { stringLeaves } from '../../core/filters/search.ts'

/**
 * Stands before, between and after the texts of a bucket, so that one column holds them all: a
 * phrase never matches across two texts, and a glob over a whole text is anchored by it.
 */
export const SEPARATOR = '\u0001'

/** What stands for a separator inside a text. */
const SUBSTITUTE = '\u0002'

/** Text as it stands in the search column; equal texts stay equal. */
export const withoutSeparator = (text: string) => text.replaceAll(SEPARATOR, SUBSTITUTE)

/** Whether the search column cannot tell this text from another. */
export const isAmbiguous = (text: string) => text.includes(SEPARATOR) || text.includes(SUBSTITUTE)

export type SearchedMembers = {
  bucket_id: string
  bucket_name: string
  description: string | null
  metadata: unknown
}

/** The search column of a bucket: its id, name, description and every string of its metadata, case-folded. */
export function searchText({ bucket_id, bucket_name, description, metadata }: SearchedMembers): string {
  const texts = [bucket_id, bucket_name, ...(description ? [description] : []), ...stringLeaves(metadata)]
  const folded = texts.map((text) => withoutSeparator(foldCase(text)))
  return `${SEPARATOR}${folded.join(SEPARATOR)}${SEPARATOR}`
}

import { foldCase } from '../../core/filters/fold.ts'
import { stringLeaves } from '../../core/filters/search.ts'

/**
 * Stands before, between and after the texts of a bucket, so that one column holds them all: a
 * phrase never matches across two texts, and a glob over a whole text is anchored by it.
 */
export const SEPARATOR = '\u0001'

/** Text in which the separator does not occur; U+0001 is found as U+0002. */
export const withoutSeparator = (text: string) => text.replaceAll(SEPARATOR, '\u0002')

export type SearchedMembers = {
  bucket_id: string
  bucket_name: string
  description: string | null
  metadata: unknown
}

/** The two search columns of a bucket: its texts case-folded, and as they are. */
export function searchColumns({ bucket_id, bucket_name, description, metadata }: SearchedMembers) {
  const texts = [bucket_id, bucket_name, ...(description ? [description] : []), ...stringLeaves(metadata)]
  return { folded: joined(texts.map(foldCase)), exact: joined(texts) }
}

const joined = (texts: readonly string[]) =>
  `${SEPARATOR}${texts.map(withoutSeparator).join(SEPARATOR)}${SEPARATOR}`

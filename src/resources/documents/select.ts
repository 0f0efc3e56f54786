import { copyPath } from '../../core/copy-path.ts'
import { documentField } from '../../core/filters/document-fields.ts'
import { valuesAt } from '../../core/filters/path.ts'

type Members = Record<string, unknown>

/** What a document shows whatever is selected. */
const ALWAYS = ['document_id', 'collection_id']

/**
 * The selected fields of a document at their own places. A system name stands for its place under
 * `_internal` and appears at the root under that name; `_internal` itself only when it is selected.
 */
export function selectFields(document: Members, fields: readonly string[]): Members {
  const result: Members = {}
  for (const name of ALWAYS) result[name] = document[name]
  for (const field of fields) {
    const paths = documentField(field)
    const found = paths.find((path) => valuesAt(document, path).length > 0)
    if (!found) continue
    const isAlias = found[0] === '_internal' && paths[0]![0] !== '_internal'
    if (isAlias) result[field.replace(/^metadata\./, '')] = valuesAt(document, found)[0]
    else copyPath(result, document, found)
  }
  return result
}

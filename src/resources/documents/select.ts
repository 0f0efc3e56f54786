import { documentField } from '../../core/filters/document-fields.ts'
import { type Path, valuesAt } from '../../core/filters/path.ts'
import { isObject } from '../../core/json.ts'

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

/** Copies what a path leads to, with the objects on the way and without their other members. */
function copyPath(target: Members, source: Members, [head, ...rest]: Path): void {
  const name = String(head)
  if (!Object.hasOwn(source, name)) return
  target[name] = copied(target[name], source[name], rest)
}

function copied(target: unknown, value: unknown, path: Path): unknown {
  if (path.length === 0) return value
  const [head, ...rest] = path
  if (Array.isArray(value)) {
    // A position selects the whole list: a list with holes would be another list.
    if (typeof head === 'number') return value
    const kept = Array.isArray(target) ? target : []
    return value.map((item, i) => (isObject(item) ? copied(kept[i], item, path) : item))
  }
  if (!isObject(value)) return value
  const result: Members = isObject(target) ? target : {}
  if (Object.hasOwn(value, String(head)))
    result[String(head)] = copied(result[String(head)], value[String(head)], rest)
  return result
}

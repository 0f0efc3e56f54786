import type { Path } from './filters/path.ts'
import { isObject } from './json.ts'

type Members = Record<string, unknown>

/**
 * Copies what a path leads to, with the objects on the way and without their other members. A
 * position selects the whole list: a list with holes would be another list.
 */
export function copyPath(target: Members, source: Members, [head, ...rest]: Path): void {
  const name = String(head)
  if (Object.hasOwn(source, name)) target[name] = copied(target[name], source[name], rest)
}

function copied(target: unknown, value: unknown, path: Path): unknown {
  if (path.length === 0) return value
  const [head, ...rest] = path
  if (Array.isArray(value)) {
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

import { type Path, parsePath } from './path.ts'

/**
 * Where a field of an object may be found: `x` at the root, else under `metadata`; `metadata.x` the
 * other way round, because clients send their fields in either place. Filters, sort and select of
 * objects share it.
 */
export function objectField(field: string): Path[] {
  const path = parsePath(field)
  const [head, ...rest] = path
  return head === 'metadata' && rest.length > 0 ? [path, rest] : [path, ['metadata', ...path]]
}

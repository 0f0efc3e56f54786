import { isObject } from '../../core/json.ts'

/** Rewrites what clients send as `name`. */
export function normalizeNamespace(body: unknown): unknown {
  if (!isObject(body) || body.name === undefined) return body
  const { name, namespace_name = name, ...rest } = body
  return { ...rest, namespace_name }
}

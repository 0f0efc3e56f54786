import { isObject } from '../json.ts'
import { ABSENT, isTemplate, renderTemplate, type TemplateContext } from './template.ts'

/**
 * Renders every template inside a value of parameters. A member whose whole value is an absent
 * expression is left out, so that the parameter's default takes its place.
 */
export function renderParameters(value: unknown, context: TemplateContext): unknown {
  const rendered = render(value, context)
  return rendered === ABSENT ? undefined : rendered
}

function render(value: unknown, context: TemplateContext): unknown {
  if (typeof value === 'string') return renderTemplate(value, context)
  if (Array.isArray(value))
    return value.map((item) => render(item, context)).filter((item) => item !== ABSENT)
  if (!isObject(value)) return value
  const result: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(value)) {
    const rendered = render(member, context)
    if (rendered !== ABSENT) result[key] = rendered
  }
  return result
}

/**
 * Renders the templates of a filter. A condition whose input is absent, empty text or an empty list
 * disappears, and a group that loses all its conditions with it; undefined when nothing is left.
 */
export function renderFilter(filter: unknown, context: TemplateContext): unknown {
  if (Array.isArray(filter)) return nonEmpty(filter.map((item) => renderFilter(item, context)))
  if (!isObject(filter)) return filter
  if ('field' in filter || 'key' in filter) return renderCondition(filter, context)
  const result: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(filter)) {
    const rendered = GROUPS.has(key.toLowerCase())
      ? renderFilter(member, context)
      : renderValue(member, context)
    if (rendered !== undefined) result[key] = rendered
  }
  const conditions = Object.keys(result).filter((key) => key !== 'case_sensitive')
  return conditions.length > 0 || Object.keys(filter).length === 0 ? result : undefined
}

const GROUPS = new Set(['and', 'or', 'not', 'must', 'should', 'must_not', 'conditions'])

function renderCondition(condition: Record<string, unknown>, context: TemplateContext): unknown {
  const result: Record<string, unknown> = {}
  for (const [key, member] of Object.entries(condition)) {
    const rendered = renderValue(member, context)
    if (rendered === undefined && member !== undefined) return undefined
    result[key] = rendered
  }
  return result
}

/** A rendered value, or undefined when it came from a template and is absent or empty. */
function renderValue(value: unknown, context: TemplateContext): unknown {
  if (isObject(value) && value.type === 'dynamic' && typeof value.field === 'string') {
    return present(renderTemplate(`{{ ${value.field} }}`, context))
  }
  if (typeof value === 'string') return isTemplate(value) ? present(renderTemplate(value, context)) : value
  if (Array.isArray(value)) return nonEmpty(value.map((item) => renderValue(item, context)))
  if (!isObject(value)) return value
  const entries = Object.entries(value).map(([key, member]) => [key, renderValue(member, context)] as const)
  const kept = entries.filter(([, member]) => member !== undefined)
  return kept.length > 0 || entries.length === 0 ? Object.fromEntries(kept) : undefined
}

function present(value: unknown): unknown {
  if (value === ABSENT || value === '') return undefined
  return Array.isArray(value) && value.length === 0 ? undefined : value
}

/** Without what vanished; a list that was empty from the start stays. */
function nonEmpty(items: unknown[]): unknown[] | undefined {
  const kept = items.filter((item) => item !== undefined)
  return kept.length > 0 || items.length === 0 ? kept : undefined
}

import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { isObject } from '../../core/json.ts'
import type { StageDefinition } from '../../core/retrievers/stage-definition.ts'
import { isTemplate, templateProblem } from '../../core/templates/template.ts'
import { validator } from '../../core/validation.ts'
import { findStage, normalizeStage } from './normalize-stage.ts'

export const STAGES_MAX = 50

/**
 * The canonical stages of a retriever; throws `stage_not_found`, or a 422 that names the parameter.
 * Templated strings are exempt: what they become is checked when they are rendered.
 */
export function checkStages(raw: readonly unknown[]): StageDefinition[] {
  if (raw.length === 0) throw tooFew()
  if (raw.length > STAGES_MAX) throw tooMany(raw.length)
  const stages = raw.map(normalizeStage)
  const violations = stages.flatMap((stage, i) =>
    checkParameters(stage, ['body', 'stages', i, 'config', 'parameters']),
  )
  if (violations.length > 0) throw new ValidationError(violations, 'stage_parameters_invalid')
  return stages
}

function checkParameters({ config }: StageDefinition, loc: (string | number)[]): Violation[] {
  const violations: Violation[] = []
  const stage = findStage(config.stage_id)!
  validator(stage.parameters)(config.parameters, loc, violations)
  const real = violations.filter(
    (violation) => !isTemplated(config.parameters, violation.loc.slice(loc.length)),
  )
  return [...real, ...badTemplates(config.parameters, loc)]
}

function isTemplated(value: unknown, path: (string | number)[]): boolean {
  let current = value
  for (const key of path) {
    if (!isObject(current) && !Array.isArray(current))
      return typeof current === 'string' && isTemplate(current)
    current = (current as Record<string | number, unknown>)[key]
  }
  return typeof current === 'string' && isTemplate(current)
}

function badTemplates(value: unknown, loc: (string | number)[]): Violation[] {
  if (typeof value === 'string') {
    const problem = templateProblem(value)
    return problem ? [{ loc, msg: problem, type: 'value_error' }] : []
  }
  if (Array.isArray(value)) return value.flatMap((item, i) => badTemplates(item, [...loc, i]))
  if (isObject(value))
    return Object.entries(value).flatMap(([key, member]) => badTemplates(member, [...loc, key]))
  return []
}

const tooFew = () =>
  new ValidationError([
    {
      loc: ['body', 'stages'],
      msg: 'List should have at least 1 item after validation, not 0',
      type: 'too_short',
    },
  ])
const tooMany = (found: number) =>
  new ValidationError([
    {
      loc: ['body', 'stages'],
      msg: `List should have at most ${STAGES_MAX} items after validation, not ${found}`,
      type: 'too_long',
    },
  ])

/** The parameters of a stage after its templates are rendered; throws a 422 that names the parameter. */
export function renderedParameters(stage: StageDefinition, rendered: unknown): Record<string, unknown> {
  const definition = findStage(stage.config.stage_id)
  if (!definition) throw new KuraError('stage_not_found', { stage_id: stage.config.stage_id, available: [] })
  const violations: Violation[] = []
  const checked = validator(definition.parameters)(
    rendered ?? {},
    ['stages', stage.stage_name, 'parameters'],
    violations,
  )
  if (violations.length > 0) throw new ValidationError(violations, 'stage_parameters_invalid')
  return checked as Record<string, unknown>
}

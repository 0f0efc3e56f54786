import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja'
import { KuraError } from '../errors.ts'
import { isObject } from '../json.ts'
import { namesSecret } from '../secret-references.ts'

/** What a template may see, by canonical name; `INPUT`, `input` and `inputs` are one. */
export type TemplateContext = {
  INPUT: Record<string, unknown>
  DOC?: Record<string, unknown>
  CONTEXT?: Record<string, unknown>
  STAGE?: Record<string, unknown>
  /** What a webhook tells of; its members can also be named alone. */
  EVENT?: Record<string, unknown>
}

/** A value that a template names but that is not there. */
export const ABSENT = Symbol('absent')

const TEMPLATE_CHARACTERS_MAX = 64 * 1024
const OUTPUT_CHARACTERS_MAX = 1024 * 1024
const PARSED_MAX = 2000

/** Spellings of the namespaces; look-ups ignore case. */
const NAMESPACES: Record<string, keyof TemplateContext> = {
  input: 'INPUT',
  inputs: 'INPUT',
  doc: 'DOC',
  document: 'DOC',
  context: 'CONTEXT',
  stage: 'STAGE',
  event: 'EVENT',
}

type Program = ReturnType<typeof parse>
const parsed = new Map<string, Program>()

export const isTemplate = (text: string) => text.includes('{{') || text.includes('{%')

/**
 * The value of a template string. One `{{ expression }}` and nothing else yields the native value,
 * or ABSENT; any other text renders, with nothing where a value is absent. Strings without template
 * syntax come back unchanged. Throws `template_error`, and
 * `secret_not_allowed`: secrets are filled in by the few parameters that may hold them, never here,
 * where they would reach results and errors.
 */
export function renderTemplate(text: string, context: TemplateContext): unknown {
  if (!isTemplate(text)) return text
  if (namesSecret(text)) throw new KuraError('secret_not_allowed')
  const path = plainPath(text)
  if (path) return lookUp(path, context)
  if (text.length > TEMPLATE_CHARACTERS_MAX)
    throw failed(`it is longer than ${TEMPLATE_CHARACTERS_MAX} characters`)
  const program = parsedTemplate(text)
  try {
    return evaluate(program, context)
  } catch (cause) {
    if (cause instanceof KuraError) throw cause
    throw failed((cause as Error).message, cause)
  }
}

function evaluate(program: Program, context: TemplateContext): unknown {
  const environment = new Environment()
  for (const [spelling, name] of Object.entries(NAMESPACES)) {
    const value = context[name]
    if (value === undefined) continue
    for (const variant of [
      spelling,
      spelling.toUpperCase(),
      spelling[0]!.toUpperCase() + spelling.slice(1),
    ]) {
      environment.set(variant, value)
    }
  }
  for (const [name, value] of Object.entries(context.EVENT ?? {})) environment.set(name, value)
  const interpreter = new Interpreter(environment)
  const [only] = program.body
  if (program.body.length === 1 && only && !STATEMENTS.has(only.type)) {
    return toNative(interpreter.evaluate(only, environment))
  }
  const output = String(interpreter.run(program).value)
  if (output.length > OUTPUT_CHARACTERS_MAX)
    throw failed(`its output is longer than ${OUTPUT_CHARACTERS_MAX} characters`)
  return output
}

const STATEMENTS = new Set([
  'If',
  'For',
  'Set',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Comment',
  'Break',
  'Continue',
])

function parsedTemplate(text: string): Program {
  const known = parsed.get(text)
  if (known) return known
  let program: Program
  try {
    program = parse(tokenize(text))
  } catch (cause) {
    throw failed((cause as Error).message, cause)
  }
  if (parsed.size >= PARSED_MAX) parsed.clear()
  parsed.set(text, program)
  return program
}

/** Whether a string can be parsed at all; the reason when it cannot. */
export function templateProblem(text: string): string | null {
  if (!isTemplate(text) || plainPath(text)) return null
  try {
    parsedTemplate(text)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

/**
 * `{{ INPUT.a.b }}`: nearly all templates are this, and reading it without the interpreter spares
 * a query vector of some hundred numbers from being wrapped one by one.
 */
function plainPath(text: string): string[] | null {
  const match = /^\{\{-?\s*([A-Za-z]+)((?:\.[A-Za-z_]\w*)+)\s*-?\}\}$/.exec(text)
  if (!match || !Object.hasOwn(NAMESPACES, match[1]!.toLowerCase())) return null
  return [match[1]!.toLowerCase(), ...match[2]!.slice(1).split('.')]
}

function lookUp([namespace, ...path]: string[], context: TemplateContext): unknown {
  let value: unknown = context[NAMESPACES[namespace!]!]
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return ABSENT
    value = value[key]
  }
  return value === undefined || value === null ? ABSENT : value
}

type RuntimeValue = { type: string; value: unknown }

function toNative(runtime: RuntimeValue): unknown {
  switch (runtime.type) {
    case 'UndefinedValue':
    case 'NullValue':
      return ABSENT
    case 'ArrayValue':
    case 'TupleValue':
      return (runtime.value as RuntimeValue[]).map((item) => orNull(toNative(item)))
    case 'ObjectValue':
      return Object.fromEntries(
        [...(runtime.value as Map<string, RuntimeValue>)].map(([key, member]) => [
          key,
          orNull(toNative(member)),
        ]),
      )
    case 'StringValue':
    case 'IntegerValue':
    case 'FloatValue':
    case 'BooleanValue':
      return runtime.value
    default:
      throw failed('its value is a function')
  }
}

const orNull = (value: unknown) => (value === ABSENT ? null : value)

const failed = (reason: string, cause?: unknown) => new KuraError('template_error', { reason }, { cause })

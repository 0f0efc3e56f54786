import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { testApp } from '../support/test-app.ts'

/** The structure of the public API: every operation and schema. Not part of a clone; see CONTRIBUTING.md. */
const FACTS =
  process.env.KURA_CONTRACT_FACTS ??
  resolve(import.meta.dirname, '../../../shared/contract/openapi-facts.json')

type Node = Record<string, unknown>
type Document = { paths: Record<string, Record<string, Node>>; components: { schemas: Record<string, Node> } }

const skip = existsSync(FACTS)
  ? false
  : `the contract's facts are not here (${join('..', 'shared', 'contract')} or KURA_CONTRACT_FACTS)`

test('every operation that is served has the id, success status and members that the contract declares', {
  skip,
}, async (t) => {
  const { request, close } = await testApp()
  t.after(close)
  const facts = JSON.parse(readFileSync(FACTS, 'utf8')) as Document
  const served = (await request('GET', '/openapi.json')).body as Document
  const problems: string[] = []
  for (const [path, methods] of Object.entries(served.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const fact = factOf(facts, path, method)
      // Additive operations are the contract texts' own; the facts know nothing of them.
      if (!fact) continue
      const name = `${method.toUpperCase()} ${path}`
      if (operation.operationId !== fact.operationId)
        problems.push(`${name}: operationId ${operation.operationId}, expected ${fact.operationId}`)
      compareRequest(name, { served, operation }, { facts, fact }, problems)
      compareResponse(name, { served, operation }, { facts, fact }, problems)
    }
  }
  assert.deepEqual(problems, [])
})

type Ours = { served: Document; operation: Node }
type Theirs = { facts: Document; fact: Node }

function factOf(facts: Document, path: string, method: string): Node | undefined {
  const shape = (one: string) => one.replace(/\{\w+\}/g, '{}').replace(/\/$/, '')
  const key = Object.keys(facts.paths).find((candidate) => shape(candidate) === shape(path))
  return key ? facts.paths[key]?.[method] : undefined
}

/** Whatever a generated client may send must be known to us; we may take more. */
function compareRequest(
  name: string,
  { served, operation }: Ours,
  { facts, fact }: Theirs,
  problems: string[],
): void {
  const ours = contentOf(operation.requestBody as Node | undefined)
  const theirs = contentOf(fact.requestBody as Node | undefined)
  if (!theirs) return
  if (!ours) return void problems.push(`${name}: declares no request body`)
  compare(`${name} request`, ours, theirs, { served, facts, problems, direction: 'request', seen: new Set() })
}

/** Whatever a generated client requires must be there, and nothing of another type than it parses. */
function compareResponse(
  name: string,
  { served, operation }: Ours,
  { facts, fact }: Theirs,
  problems: string[],
): void {
  const success = (node: Node) =>
    Object.keys((node.responses ?? {}) as Node).find((status) => status.startsWith('2'))
  const [ours, theirs] = [success(operation), success(fact)]
  if (ours !== theirs) return void problems.push(`${name}: success status ${ours}, expected ${theirs}`)
  const schemaOf = (node: Node, status: string) => contentOf((node.responses as Record<string, Node>)[status])
  const expected = schemaOf(fact, theirs!)
  if (!expected || Object.keys(expected).length === 0) return
  const given = schemaOf(operation, ours!)
  if (!given) return void problems.push(`${name}: declares no response body`)
  compare(`${name} response`, given, expected, {
    served,
    facts,
    problems,
    direction: 'response',
    seen: new Set(),
  })
}

function contentOf(node: Node | undefined): Node | undefined {
  const content = node?.content as Record<string, { schema: Node }> | undefined
  return content ? Object.values(content)[0]?.schema : undefined
}

type Context = {
  served: Document
  facts: Document
  problems: string[]
  direction: 'request' | 'response'
  seen: Set<string>
}

function compare(where: string, oursRaw: Node, theirsRaw: Node, context: Context): void {
  const mark = `${JSON.stringify(oursRaw)}|${JSON.stringify(theirsRaw)}`
  if (context.seen.has(mark)) return
  context.seen.add(mark)
  const ours = single(oursRaw, context.served)
  const theirs = single(theirsRaw, context.facts)
  if (!ours || !theirs) return
  const [ourType, theirType] = [kindOf(ours), kindOf(theirs)]
  if (ourType && theirType && ourType !== theirType && !(ourType === 'integer' && theirType === 'number'))
    context.problems.push(`${where}: ${ourType}, expected ${theirType}`)
  compareEnum(where, ours, theirs, context)
  if (theirs.properties && ours.properties) compareMembers(where, ours, theirs, context)
  if (theirs.items && ours.items) compare(`${where}[]`, ours.items as Node, theirs.items as Node, context)
}

/** A request enum takes at least what the contract names; a response gives at most that. */
function compareEnum(where: string, ours: Node, theirs: Node, { problems, direction }: Context): void {
  if (!Array.isArray(ours.enum) || !Array.isArray(theirs.enum)) return
  const [wide, narrow] = direction === 'request' ? [ours.enum, theirs.enum] : [theirs.enum, ours.enum]
  const extra = narrow.filter((value) => !wide.includes(value))
  if (extra.length > 0) problems.push(`${where}: enum values ${JSON.stringify(extra)} have no counterpart`)
}

function compareMembers(where: string, ours: Node, theirs: Node, context: Context): void {
  const given = ours.properties as Record<string, Node>
  const expected = theirs.properties as Record<string, Node>
  for (const [key, member] of Object.entries(expected)) {
    if (given[key]) compare(`${where}.${key}`, given[key], member, context)
    else context.problems.push(`${where}: member ${key} is missing`)
  }
  const required = (node: Node) => (Array.isArray(node.required) ? (node.required as string[]) : [])
  const demanded =
    context.direction === 'request' ? required(ours).filter((key) => !required(theirs).includes(key)) : []
  if (demanded.length > 0)
    context.problems.push(`${where}: requires ${demanded.join(', ')}, which the contract leaves optional`)
  if (context.direction === 'response') {
    const absent = required(theirs).filter(
      (key) => !required(ours).includes(key) && given[key]?.default === undefined,
    )
    if (absent.length > 0) context.problems.push(`${where}: ${absent.join(', ')} must always be there`)
  }
}

function deref(schema: Node, document: Document): Node {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').pop()! : undefined
  return name ? deref(document.components.schemas[name] ?? {}, document) : schema
}

/** The schema without its null branch; undefined for true unions, whose branches have no fixed partner. */
function single(raw: Node, document: Document): Node | undefined {
  const schema = deref(raw, document)
  const branches = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as Node[] | undefined
  if (!branches) return schema
  const real = branches.filter((branch) => branch.type !== 'null')
  return real.length === 1 ? single(real[0]!, document) : undefined
}

function kindOf(schema: Node): string | undefined {
  if (typeof schema.type === 'string') return schema.type
  return Array.isArray(schema.enum) ? 'string' : undefined
}

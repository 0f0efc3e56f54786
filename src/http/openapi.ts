import { isObject } from '../core/json.ts'
import type { RegisteredRoute } from './route-table.ts'

type Node = Record<string, unknown>

const DESCRIPTION =
  'A self-hosted multimodal data warehouse. Objects in buckets become documents with vectors in collections; retrievers find them again.'

/** The OpenAPI 3.1 document of the routes, from the schemas that also check their requests. */
export function buildOpenApi(routes: readonly RegisteredRoute[], { version }: { version: string }): Node {
  const components: Record<string, Node> = {}
  const paths: Record<string, Node> = {}
  for (const route of routes) {
    if (!route.schema?.operationId || route.config?.hidden) continue
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, components) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kura',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    paths,
    components: { schemas: components, securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
  }
}

function operation({ schema, config, url }: RegisteredRoute, components: Record<string, Node>): Node {
  const { operationId, summary, description, tags, params, querystring, body, response } = schema!
  const responses = Object.entries((response ?? {}) as Record<string, Node>).map(([status, content]) => [
    status,
    { description: status.startsWith('2') ? 'Success' : 'Error', ...bodyContent(content, components) },
  ])
  return {
    operationId,
    summary: summary ?? titleOf(String(operationId)),
    description,
    tags: tags ?? [url.split('/')[2] ?? 'server'],
    parameters: [
      ...parameters(params, 'path', components),
      ...parameters(querystring, 'query', components),
      ...headers(config),
    ],
    ...(body !== undefined && {
      requestBody: {
        required: requiredMembers(body as Node).length > 0,
        ...bodyContent(body as Node, components),
      },
    }),
    responses: Object.fromEntries(responses),
    ...(config?.permission !== undefined && { security: [{ bearer: [] }] }),
  }
}

/** The words that every operation id of the contract begins with: `create_bucket_v1_buckets_post` is "Create bucket". */
function titleOf(operationId: string): string {
  const words = operationId.split('_v1_')[0]!.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function bodyContent(schema: Node, components: Record<string, Node>): Node {
  // A 204 declares Type.Null(): there is no body to describe.
  if (schema.type === 'null') return {}
  return { content: { 'application/json': { schema: clean(schema, components) } } }
}

function headers(config: RegisteredRoute['config']): Node[] {
  if (config?.permission === undefined || config.scope === 'organization') return []
  return [
    {
      name: 'X-Namespace',
      in: 'header',
      required: false,
      schema: { type: 'string' },
      description: 'Id or name of the namespace.',
    },
  ]
}

function parameters(schema: unknown, place: 'path' | 'query', components: Record<string, Node>): Node[] {
  if (!isObject(schema) || !isObject(schema.properties)) return []
  const required = requiredMembers(schema)
  return Object.entries(schema.properties as Record<string, Node>).map(([name, member]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: clean(member, components),
  }))
}

/** What a client must send or may rely on: members with a default are optional on the wire. */
function requiredMembers(schema: Node): string[] {
  const properties = (isObject(schema.properties) ? schema.properties : {}) as Record<string, Node>
  const required = Array.isArray(schema.required) ? (schema.required as string[]) : []
  return required.filter((key) => properties[key]?.default === undefined)
}

/** A plain JSON Schema: named schemas move to the components, `required` follows the defaults. */
function clean(schema: Node, components: Record<string, Node>): Node {
  const { $id, ...rest } = schema
  if (typeof $id !== 'string') return cleanMembers(rest, components)
  if (!(($id as string) in components)) {
    // Reserved first, so that a schema which contains itself ends.
    components[$id] = {}
    components[$id] = cleanMembers(rest, components)
  }
  return { $ref: `#/components/schemas/${$id}` }
}

function cleanMembers(schema: Node, components: Record<string, Node>): Node {
  const result: Node = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'required' || key === '$id') continue
    if (key === '$defs') {
      for (const [name, target] of Object.entries(value as Record<string, Node>))
        components[name] ??= cleanMembers(target, components)
    } else if (key === '$ref') result.$ref = `#/components/schemas/${String(value).split('/').pop()}`
    else if (key === 'properties') {
      result.properties = Object.fromEntries(
        Object.entries(value as Record<string, Node>).map(([name, member]) => [
          name,
          clean(member, components),
        ]),
      )
    } else if (key === 'patternProperties') {
      const [any] = Object.values(value as Record<string, Node>)
      result.additionalProperties = any && Object.keys(any).length > 0 ? clean(any, components) : true
    } else if (key === 'items' || key === 'additionalProperties') {
      result[key] = isObject(value) ? clean(value, components) : value
    } else if (key === 'anyOf') {
      result.anyOf = (value as Node[]).map((branch) => clean(branch, components))
    } else if (!key.startsWith('~')) result[key] = value
  }
  const required = requiredMembers(schema)
  if (required.length > 0) result.required = required
  return result
}

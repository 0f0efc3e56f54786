import { KuraError } from '../../core/errors.ts'
import { parseFeatureUri } from '../../core/feature-uri.ts'
import type { JsonObject } from '../../core/json.ts'
import { type InputSchema, unwrapInputSchema } from '../../core/retrievers/input-schema.ts'
import type { FeatureAddress, StageDefinition } from '../../core/retrievers/stage-definition.ts'
import type { Scope } from '../../core/scope.ts'
import { isTemplate } from '../../core/templates/template.ts'
import { checkStages } from '../../engine/retrieve/check-stages.ts'
import { findStage } from '../../engine/retrieve/normalize-stage.ts'
import {
  readScopeCollections,
  resolveFeatures,
  type ScopeCollection,
} from '../../engine/retrieve/scope-collections.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { Models } from '../../platform/models/models.ts'

/** A definition whose parts have been checked against each other. */
export type CheckedDefinition = {
  stages: StageDefinition[]
  input_schema: InputSchema
  collection_identifiers: string[]
  collections: ScopeCollection[]
  feature_dependencies: FeatureAddress[]
}

type Definition = {
  stages: readonly unknown[]
  collection_identifiers?: string[] | undefined
  input_schema?: unknown
}

/**
 * Checks a retriever, saved or ad hoc: collections exist (404), stages are known and their
 * parameters valid (400, 422), untemplated feature names exist in the collections (400).
 */
export async function checkDefinition(
  db: DbOrTrx,
  scope: Scope,
  models: Models,
  { stages: raw, collection_identifiers = [], input_schema }: Definition,
): Promise<CheckedDefinition> {
  const stages = checkStages(raw)
  const collections = await findCollections(db, scope, collection_identifiers)
  const names = stages.flatMap(
    ({ config }) => findStage(config.stage_id)?.featureNames?.(config.parameters) ?? [],
  )
  const literal = [...new Set(names)].filter((name) => !isTemplate(name))
  for (const name of literal) if (collections.length > 0) resolveFeatures(collections, name, 'any', models)
  for (const { config } of stages) checkStageScope(config.parameters, collections)
  return {
    stages,
    input_schema: (unwrapInputSchema(input_schema) ?? {}) as InputSchema,
    collection_identifiers,
    collections,
    feature_dependencies: literal.flatMap((name) => dependency(name)),
  }
}

/** Ids or names, in their order; throws `collection_not_found`. */
async function findCollections(
  db: DbOrTrx,
  scope: Scope,
  identifiers: readonly string[],
): Promise<ScopeCollection[]> {
  if (identifiers.length === 0) return []
  const rows = await db
    .selectFrom('collections')
    .select(['collection_id', 'collection_name'])
    .where('namespace_id', '=', scope.namespaceId)
    .where((eb) =>
      eb.or([eb('collection_id', 'in', [...identifiers]), eb('collection_name', 'in', [...identifiers])]),
    )
    .execute()
  const ids = identifiers.map((identifier) => {
    const row =
      rows.find((one) => one.collection_id === identifier) ??
      rows.find((one) => one.collection_name === identifier)
    if (!row) throw new KuraError('collection_not_found', { resource: 'collection', id: identifier })
    return row.collection_id
  })
  const collections = await readScopeCollections(db, scope, ids)
  const byId = new Map(collections.map((one) => [one.collection_id, one]))
  return [...new Set(ids)].flatMap((id) => byId.get(id) ?? [])
}

/** Collections that a stage or one of its searches names must be among those of the retriever. */
function checkStageScope(parameters: JsonObject, collections: readonly ScopeCollection[]): void {
  const searches = Array.isArray(parameters.searches) ? (parameters.searches as JsonObject[]) : []
  for (const { collection_identifiers } of [parameters, ...searches]) {
    if (!Array.isArray(collection_identifiers) || collections.length === 0) continue
    for (const identifier of collection_identifiers) {
      const known = collections.some(
        (one) => one.collection_id === identifier || one.collection_name === identifier,
      )
      if (!known && !(typeof identifier === 'string' && isTemplate(identifier)))
        throw new KuraError('bad_request', {
          reason: `A stage names the collection ${JSON.stringify(identifier)}, which the retriever does not.`,
        })
    }
  }
}

function dependency(name: string): FeatureAddress[] {
  const uri = parseFeatureUri(name)
  return uri
    ? [{ scheme: 'mixpeek', extractor: uri.extractor, version: uri.version ?? 'v1', output: uri.output }]
    : []
}

import { KuraError } from '../../core/errors.ts'
import { canonicalJson } from '../../core/json.ts'
import { defaultParameters, describeExtractor } from '../../extractors/catalogue.ts'
import type { Extractor } from '../../extractors/extractor.ts'
import { extractorId, type Registry } from '../../extractors/registry.ts'
import type { Models } from '../../platform/models/models.ts'
import type { NamespaceExtractorInput, UnifiedExtractor } from './schemas.ts'

/** An extractor as a namespace lists it; `params` never change. */
export type ListedExtractor = {
  feature_extractor_name: string
  version: string
  params?: Record<string, unknown>
}

export const listedExtractor = ({ name, version }: Pick<Extractor, 'name' | 'version'>): ListedExtractor => ({
  feature_extractor_name: name,
  version,
})

/** Known extractors, each once; entries that say the same are one. Throws `registry_extractor_not_found`, `extractor_immutable`. */
export function knownExtractors(
  registry: Registry,
  sent: readonly NamespaceExtractorInput[],
): ListedExtractor[] {
  return appendExtractors(registry, [], sent)
}

/** The list with new entries at its end. What is there may be repeated as it is, and nothing else. */
export function appendExtractors(
  registry: Registry,
  current: readonly ListedExtractor[],
  sent: readonly NamespaceExtractorInput[],
): ListedExtractor[] {
  const list = [...current]
  for (const { feature_extractor_name, version, params } of sent) {
    const extractor = registry.find(feature_extractor_name, version)
    if (!extractor)
      throw new KuraError('registry_extractor_not_found', {
        name: feature_extractor_name,
        version,
        did_you_mean: registry.didYouMean(feature_extractor_name),
      })
    const listed = list.find(
      (entry) => entry.feature_extractor_name === feature_extractor_name && entry.version === version,
    )
    if (!listed) list.push({ feature_extractor_name, version, ...(params && { params }) })
    else if (params && canonicalJson(params) !== canonicalJson(listed.params ?? {}))
      throw new KuraError('extractor_immutable')
  }
  return list
}

/** Which model serves each vector of the extractors now, by the name under which vectors are stored. */
export function inferenceMap(
  registry: Registry,
  models: Pick<Models, 'describe'>,
  extractors: readonly ListedExtractor[],
): Record<string, string> {
  const map: Record<string, string> = {}
  for (const { feature_extractor_name, version } of extractors) {
    const extractor = registry.find(feature_extractor_name, version)
    if (!extractor) continue
    for (const { storage_name, slot, upstream_model } of extractor.vectors(defaultParameters(extractor)))
      map[storage_name] = models.describe(slot)?.id ?? upstream_model
  }
  return map
}

/** The catalogue entry of an extractor, with the URI of its primary vector. */
export function unifiedExtractor(extractor: Extractor, models: Pick<Models, 'describe'>): UnifiedExtractor {
  const description = describeExtractor(extractor, models)
  const feature_uri = description.required_vector_indexes[0]?.feature_uri
  return { ...description, ...(feature_uri && { feature_uri }) }
}

/** Extractors of a namespace by `name_version`, `name@version` or bare name. Throws `feature_extractor_unknown`. */
export function findUnifiedExtractor(
  registry: Registry,
  models: Pick<Models, 'describe'>,
  id: string,
): UnifiedExtractor {
  const extractor = registry.find(id)
  if (!extractor) throw new KuraError('feature_extractor_unknown', { resource: 'feature_extractor', id })
  return unifiedExtractor(extractor, models)
}

export const withId = (extractor: ListedExtractor) => ({
  ...extractor,
  feature_extractor_id: extractorId({
    name: extractor.feature_extractor_name,
    version: extractor.version,
  }),
})

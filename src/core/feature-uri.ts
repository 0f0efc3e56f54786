/**
 * Names of features. The canonical one is `mixpeek://{extractor}@{version}/{output}`; clients also
 * send aliases, storage names and model names, and every place that names a feature takes them all.
 */
const SCHEME = 'mixpeek://'

export type FeatureUri = { extractor: string; version: string | null; output: string | null }

/** What resolving needs to know of a vector feature, as a collection or a catalogue lists them. */
export type FeatureDescriptor = {
  extractor: string
  version: string
  feature_uri: string
  /** Canonical output: the last segment of the feature URI. */
  output: string
  aliases: readonly string[]
  /** The field in documents and exports. */
  storage_name: string
  /** The hosted model that clients expect, for example `google/siglip-base-patch16-224`. */
  service_id: string
}

export function formatFeatureUri(extractor: string, version: string, output: string): string {
  return `${SCHEME}${extractor}@${version}/${output}`
}

/** The parts of a feature URI; null for text that is none. The version and the output may be missing. */
export function parseFeatureUri(text: string): FeatureUri | null {
  const match = /^mixpeek:\/\/([^/@\s]+)(?:@([^/\s]+))?(?:\/([^/\s]*))?$/i.exec(text.trim())
  if (!match) return null
  return { extractor: match[1]!, version: match[2] ?? null, output: match[3] || null }
}

/** Output names that mean keyword search over the collection's text; no vectors stand behind them. */
export function isLexicalOutput(output: string): boolean {
  return output === 'bm25' || output === 'bm25_sparse'
}

/**
 * The feature that a name means among those of one collection, in their order: the first is the
 * primary one. Undefined when none is meant.
 */
export function resolveFeature<F extends FeatureDescriptor>(
  name: string,
  features: readonly F[],
): F | undefined {
  const bare = name.trim().replace(/^features\./, '')
  const exact = features.find((feature) => feature.feature_uri === bare)
  if (exact) return exact
  const uri = parseFeatureUri(bare)
  if (uri) return resolveUri(uri, features)
  return byName(bare, features) ?? byPath(bare, features)
}

function resolveUri<F extends FeatureDescriptor>(uri: FeatureUri, features: readonly F[]): F | undefined {
  const { extractor, version, output } = uri
  const own = features.filter(
    (feature) => feature.extractor === extractor && (version === null || feature.version === version),
  )
  if (output === null) return own[0]
  if (isLexicalOutput(output)) return undefined
  return (
    byName(output, own) ??
    // The same output of another extractor comes from the same model, so its vectors compare.
    features.find((feature) => isModelOf(output, feature)) ??
    // With one vector there is no doubt which is meant, whatever the model was called.
    (own.length === 1 ? own[0] : undefined)
  )
}

function byName<F extends FeatureDescriptor>(name: string, features: readonly F[]): F | undefined {
  return (
    features.find((feature) => feature.output === name) ??
    features.find((feature) => feature.storage_name === name) ??
    features.find((feature) => feature.aliases.includes(name)) ??
    features.find((feature) => feature.service_id === name || slug(feature.service_id) === name)
  )
}

/** `text_extractor.v1.embedding`, `text_extractor@v1/embedding`, `text_extractor_v1`, `text_extractor`. */
function byPath<F extends FeatureDescriptor>(path: string, features: readonly F[]): F | undefined {
  for (const feature of features) {
    const { extractor, version } = feature
    if (path === `${extractor}_${version}`) return resolveUri({ extractor, version, output: null }, features)
  }
  const match = /^(\w+)(?:[.@](\w+)(?:[./](\w+))?)?$/.exec(path)
  if (!match) return undefined
  return resolveUri({ extractor: match[1]!, version: match[2] ?? null, output: match[3] ?? null }, features)
}

/** How a service id is spelled inside a URI: `intfloat/e5-large` is `intfloat__e5_large`. */
const slug = (service_id: string) => service_id.replaceAll('/', '__').replace(/[^\w]/g, '_')

function isModelOf(output: string, feature: FeatureDescriptor): boolean {
  const key = modelKey(output)
  return key === modelKey(feature.output) || key === modelKey(slug(feature.service_id))
}

/** Without organization and version: `intfloat__e5_large` and `e5_large_v1` are one model. */
const modelKey = (segment: string) => segment.replace(/^.*__/, '').replace(/_v\d+$/, '')

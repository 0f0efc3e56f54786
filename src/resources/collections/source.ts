import type { BucketSchema } from '../../core/bucket-schema.ts'
import type { VectorIndexDefinition } from '../../core/collections/config.ts'
import { KuraError } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Scope } from '../../core/scope.ts'
import type { Db } from '../../platform/db/db.ts'
import { type BucketRecord, findBucket } from '../buckets/index.ts'
import { type CollectionRecord, findCollections, type LineageEntry, type StoredSource } from './record.ts'
import type { SourceConfig } from './schemas.ts'

/** What a collection to be reads. */
export type ResolvedSource = {
  stored: StoredSource
  source_ids: string[]
  /** What rows of the source look like; null when a bucket has no schema. */
  schema: BucketSchema | null
  /** Several buckets only: the schema of each. */
  bucket_schemas: Record<string, BucketSchema> | null
  lineage: LineageEntry[]
  vector_indexes: VectorIndexDefinition[]
}

/** Finds the sources and checks that they fit together (contract, create collection, steps 2 and 3). */
export function resolveSource(db: Db, scope: Scope, source: SourceConfig): Promise<ResolvedSource> {
  if (source.source_namespace_id && source.source_namespace_id !== scope.namespaceId)
    throw new KuraError('not_enabled', { feature: 'source.source_namespace_id' })
  const { bucket_ids, collection_id, collection_ids } = source
  if (source.type === 'bucket') {
    if (collection_id || collection_ids)
      throw invalid('A bucket source takes no collection_id or collection_ids.')
    if (!bucket_ids) throw invalid('A bucket source needs bucket_ids.')
    return fromBuckets(db, scope, source, bucket_ids)
  }
  if (source.type !== 'collection')
    throw invalid(`A collection cannot be created from a source of type "${source.type}".`)
  if (bucket_ids) throw invalid('A collection source takes no bucket_ids.')
  if ((collection_id ? 1 : 0) + (collection_ids ? 1 : 0) !== 1)
    throw invalid('A collection source needs exactly one of collection_id and collection_ids.')
  return fromCollections(db, scope, source, collection_ids ?? [collection_id!])
}

async function fromBuckets(
  db: Db,
  scope: Scope,
  source: SourceConfig,
  identifiers: string[],
): Promise<ResolvedSource> {
  const buckets: BucketRecord[] = []
  for (const identifier of new Set(identifiers)) buckets.push(await findBucket(db, scope, identifier))
  const bucket_ids = [...new Set(buckets.map(({ bucket_id }) => bucket_id))]
  checkSameSchema(buckets)
  return {
    stored: { type: 'bucket', bucket_ids, ...filters(source) },
    source_ids: bucket_ids,
    schema: buckets[0]!.schema,
    bucket_schemas:
      bucket_ids.length > 1
        ? Object.fromEntries(
            buckets.map(({ bucket_id, schema }) => [bucket_id, schema ?? { properties: {} }]),
          )
        : null,
    lineage: [],
    vector_indexes: [],
  }
}

/** Buckets are read as one, so the same field must mean the same in each. */
function checkSameSchema([first, ...others]: BucketRecord[]): void {
  const shape = ({ schema }: BucketRecord) =>
    new Map(
      Object.entries(schema?.properties ?? {}).map(([name, { type, required }]) => [
        name,
        `${type}${required ? ' required' : ''}`,
      ]),
    )
  const expected = shape(first!)
  const fields = new Set<string>()
  for (const bucket of others) {
    const found = shape(bucket)
    for (const name of new Set([...expected.keys(), ...found.keys()]))
      if (expected.get(name) !== found.get(name)) fields.add(name)
    if ((bucket.schema === null) !== (first!.schema === null) && fields.size === 0)
      throw new KuraError('incompatible_source_schemas', { fields: [] })
  }
  if (fields.size > 0) throw new KuraError('incompatible_source_schemas', { fields: [...fields] })
}

async function fromCollections(
  db: Db,
  scope: Scope,
  source: SourceConfig,
  identifiers: string[],
): Promise<ResolvedSource> {
  const found = await findCollections(db, scope, identifiers)
  const upstream = [...new Map(found.map((record) => [record.collection_id, record])).values()]
  const source_ids = upstream.map(({ collection_id }) => collection_id)
  return {
    stored: {
      type: 'collection',
      ...(source.collection_id ? { collection_id: source_ids[0]! } : { collection_ids: source_ids }),
      inherited_bucket_ids: [...new Set(upstream.flatMap(rootBuckets))],
      ...filters(source),
    },
    source_ids,
    schema: commonSchema(upstream),
    bucket_schemas: null,
    lineage: distinctBy(
      upstream.flatMap(({ source_lineage }) => source_lineage),
      (entry) => JSON.stringify(entry),
    ),
    vector_indexes: distinctBy(
      upstream.flatMap(({ vector_indexes }) => vector_indexes),
      ({ index }) => index.name,
    ),
  }
}

/** The buckets that documents of a collection come from in the end. */
export function rootBuckets({ source }: Pick<CollectionRecord, 'source'>): string[] {
  return source.bucket_ids ?? source.inherited_bucket_ids ?? []
}

/** Fields that every upstream collection has, with one type. */
function commonSchema([first, ...others]: CollectionRecord[]): BucketSchema {
  const fields = Object.entries(first!.output_schema.properties).filter(([name, { type }]) =>
    others.every(({ output_schema: { properties } }) => {
      return Object.hasOwn(properties, name) && properties[name]!.type === type
    }),
  )
  return { properties: Object.fromEntries(fields) }
}

function distinctBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()]
}

const filters = ({ source_filters }: SourceConfig) =>
  source_filters ? { source_filters: source_filters as JsonObject } : {}

const invalid = (reason: string) => new KuraError('invalid_source', { reason })

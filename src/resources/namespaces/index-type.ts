import type { FieldSchema, FieldsSchema } from '../../core/collections/config.ts'
import { firstValues, type Path, parsePath } from '../../core/filters/path.ts'
import type { Scope } from '../../core/scope.ts'
import { parseInstant } from '../../core/time.ts'
import type { DbOrTrx } from '../../platform/db/db.ts'
import type { PayloadIndex } from './schemas.ts'

/** How much is looked at where no schema tells the type. */
const COLLECTIONS_MAX = 50
const DOCUMENTS_MAX = 20

const TYPES: Readonly<Record<string, PayloadIndex['type']>> = {
  string: 'keyword',
  text: 'text',
  integer: 'integer',
  number: 'float',
  float: 'float',
  boolean: 'bool',
  date: 'datetime',
  datetime: 'datetime',
}

/**
 * The type of a payload index on a field of documents: what the schemas of the collections say, else
 * what values of some documents are, else `keyword`; also where these are of several types.
 */
export async function indexTypeOf(
  db: DbOrTrx,
  { namespaceId }: Pick<Scope, 'namespaceId'>,
  field: string,
): Promise<PayloadIndex['type']> {
  const places = [parsePath(field), parsePath(`metadata.${field}`)]
  const collections = await db
    .selectFrom('collections')
    .select(['collection_id', 'output_schema'])
    .where('namespace_id', '=', namespaceId)
    .execute()
  const declared = new Set(
    collections.flatMap(({ output_schema }) => declaredType(JSON.parse(output_schema), places) ?? []),
  )
  if (declared.size > 0) return declared.size === 1 ? [...declared][0]! : 'keyword'
  const values: unknown[] = []
  for (const { collection_id } of collections.slice(0, COLLECTIONS_MAX)) {
    const documents = await db
      .selectFrom('documents')
      .select('payload')
      .where('namespace_id', '=', namespaceId)
      .where('collection_id', '=', collection_id)
      .limit(DOCUMENTS_MAX)
      .execute()
    for (const { payload } of documents) values.push(...firstValues(JSON.parse(payload), places).flat())
  }
  return typeOfValues(values.filter((value) => value !== null))
}

function declaredType(schema: FieldsSchema, places: readonly Path[]): PayloadIndex['type'] | undefined {
  for (const path of places) {
    let field: Partial<FieldSchema> | undefined = { properties: schema.properties }
    for (const step of path) {
      const properties: FieldsSchema['properties'] = field?.properties ?? field?.items?.properties ?? {}
      field = Object.hasOwn(properties, step) ? properties[step] : undefined
    }
    const type = TYPES[field?.items?.type ?? field?.type ?? '']
    if (type) return type
  }
  return undefined
}

function typeOfValues(values: readonly unknown[]): PayloadIndex['type'] {
  if (values.length === 0) return 'keyword'
  if (values.every((value) => typeof value === 'boolean')) return 'bool'
  if (values.every((value) => Number.isInteger(value))) return 'integer'
  if (values.every((value) => typeof value === 'number')) return 'float'
  if (values.every((value) => typeof value === 'string' && parseInstant(value) !== null)) return 'datetime'
  return 'keyword'
}

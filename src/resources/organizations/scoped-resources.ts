import type { ScopedResource } from '../../core/key-scopes.ts'
import type { ScopedPathType } from '../../http/access.ts'
import type { ScopedResources } from '../../http/key-scopes.ts'
import { type Db, oncePerTurn } from '../../platform/db/db.ts'

/** Tables of resources that a path names by id or name. */
const NAMED = {
  bucket: ['buckets', 'bucket_id', 'bucket_name'],
  collection: ['collections', 'collection_id', 'collection_name'],
  retriever: ['retrievers', 'retriever_id', 'retriever_name'],
} as const

/** Tables of resources that belong to a bucket. */
const IN_BUCKETS = { object: ['objects', 'object_id'], batch: ['batches', 'batch_id'] } as const

type Place = { organizationId: string; namespaceId: string }

/** Finds what the scopes of a key are compared with; only keys that have scopes pay for it. */
export function scopedResources(db: Db): ScopedResources {
  return {
    namespaces: (organizationId) =>
      oncePerTurn(db, `scoped namespaces ${organizationId}`, () =>
        db
          .selectFrom('namespaces')
          .select(['namespace_id as id', 'namespace_name as name'])
          .where('organization_id', '=', organizationId)
          .execute(),
      ),
    organization: (organizationId) =>
      oncePerTurn(db, `scoped organization ${organizationId}`, () =>
        db
          .selectFrom('organizations')
          .select(['organization_id as id', 'organization_name as name'])
          .where('organization_id', '=', organizationId)
          .executeTakeFirstOrThrow(),
      ),
    find: (place, type, identifier) => find(db, place, type, identifier),
  }
}

/** The id of what a path names by id or name; the identifier itself where that can only be an id. */
export async function resourceId(db: Db, place: Place, type: string, identifier: string): Promise<string> {
  const found =
    type === 'namespace'
      ? await findNamespace(db, place, identifier)
      : type in NAMED
        ? await findNamed(db, place, type as keyof typeof NAMED, identifier)
        : undefined
  return found?.id ?? identifier
}

async function find(
  db: Db,
  place: Place,
  type: ScopedPathType,
  identifier: string,
): Promise<ScopedResource[] | undefined> {
  if (type in NAMED) {
    const one = await findNamed(db, place, type as keyof typeof NAMED, identifier)
    return one && [one]
  }
  if (type in IN_BUCKETS) return findInBucket(db, place, type as keyof typeof IN_BUCKETS, identifier)
  if (type === 'task') return findOfTask(db, place, identifier)
  if (type === 'user') return findUser(db, place, identifier)
  if (type === 'namespace') {
    const one = await findNamespace(db, place, identifier)
    return one && [one]
  }
  return undefined
}

/** By id, else by name, as the operations themselves find it. */
async function findNamed(
  db: Db,
  { namespaceId }: Pick<Place, 'namespaceId'>,
  type: keyof typeof NAMED,
  identifier: string,
): Promise<ScopedResource | undefined> {
  const [table, id, name] = NAMED[type]
  // The three tables have such columns under their own names.
  const rows = await db
    .selectFrom(table as 'buckets')
    .select([`${id as 'bucket_id'} as id`, `${name as 'bucket_name'} as name`])
    .where('namespace_id', '=', namespaceId)
    .where((eb) =>
      eb.or([eb(id as 'bucket_id', '=', identifier), eb(name as 'bucket_name', '=', identifier)]),
    )
    .execute()
  const row = rows.find((one) => one.id === identifier) ?? rows[0]
  return row && { type, ...row }
}

async function findNamespace(
  db: Db,
  { organizationId }: Pick<Place, 'organizationId'>,
  identifier: string,
): Promise<ScopedResource | undefined> {
  const rows = await db
    .selectFrom('namespaces')
    .select(['namespace_id as id', 'namespace_name as name'])
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('namespace_id', '=', identifier), eb('namespace_name', '=', identifier)]))
    .execute()
  const row = rows.find((one) => one.id === identifier) ?? rows[0]
  return row && { type: 'namespace', ...row }
}

async function findInBucket(
  db: Db,
  place: Place,
  type: keyof typeof IN_BUCKETS,
  identifier: string,
): Promise<ScopedResource[] | undefined> {
  const [table, id] = IN_BUCKETS[type]
  const row = await db
    .selectFrom(table as 'objects')
    .select('bucket_id')
    .where('namespace_id', '=', place.namespaceId)
    .where(id as 'object_id', '=', identifier)
    .executeTakeFirst()
  const bucket = row && (await findNamed(db, place, 'bucket', row.bucket_id))
  return bucket && [bucket]
}

/** The namespace of a task, and the bucket or collection that it works on. */
async function findOfTask(
  db: Db,
  { organizationId }: Place,
  task_id: string,
): Promise<ScopedResource[] | undefined> {
  const task = await db
    .selectFrom('tasks')
    .select(['namespace_id', 'additional_data'])
    .where('organization_id', '=', organizationId)
    .where('task_id', '=', task_id)
    .executeTakeFirst()
  if (!task) return undefined
  if (task.namespace_id === null) return []
  const namespaceId = task.namespace_id
  const { bucket_id, collection_id } = JSON.parse(task.additional_data) as Record<string, unknown>
  const named = [
    // Tasks survive their namespace; then only its id is left to be compared.
    (await findNamespace(db, { organizationId }, namespaceId)) ?? { type: 'namespace', id: namespaceId },
    typeof bucket_id === 'string' && (await findNamed(db, { namespaceId }, 'bucket', bucket_id)),
    typeof collection_id === 'string' && (await findNamed(db, { namespaceId }, 'collection', collection_id)),
  ]
  return named.filter((one): one is ScopedResource => typeof one === 'object')
}

async function findUser(
  db: Db,
  { organizationId }: Place,
  identifier: string,
): Promise<ScopedResource[] | undefined> {
  const row = await db
    .selectFrom('users')
    .select(['user_id as id', 'email as name'])
    .where('organization_id', '=', organizationId)
    .where((eb) => eb.or([eb('user_id', '=', identifier), eb('email', '=', identifier.toLowerCase())]))
    .executeTakeFirst()
  return row && [{ type: 'user', ...row }]
}

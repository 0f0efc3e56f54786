import { sql } from 'kysely'
import { newId } from '../../src/core/ids.ts'
import { toTimestamp } from '../../src/core/time.ts'
import { inTransaction, openDb } from '../../src/platform/db/db.ts'
import { insertBucket } from '../../src/resources/buckets/store.ts'
import { seededRandom } from '../../tests/support/vector-rows.ts'

/** Buckets of one transaction. */
const PART = 5000
const FIRST_MS = Date.parse('2025-01-01T00:00:00Z')

const TEAMS = ['vision', 'audio', 'search', 'growth', 'billing', 'support', 'research', 'mobile']
const KINDS = ['product-images', 'invoices', 'support-calls', 'training-videos', 'contracts', 'sensor-frames']
const REGIONS = ['us-east', 'us-west', 'eu-central', 'ap-south']

/**
 * Puts buckets straight into the database of a server that is not running, with names, texts and
 * counters as people have them: listing them is what the benchmark measures, not how they get there.
 */
export async function seedBuckets(home: string, count: number): Promise<void> {
  const db = openDb(`sqlite:${home}/kura.db`, { durability: 'normal' })
  const random = seededRandom(7)
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)]!
  try {
    const { namespace_id: namespaceId } = await db
      .selectFrom('namespaces')
      .select('namespace_id')
      .executeTakeFirstOrThrow()
    for (let start = 0; start < count; start += PART) {
      await inTransaction(db, async (trx) => {
        for (let i = start; i < Math.min(start + PART, count); i += 1) {
          const [team, kind, region] = [pick(TEAMS), pick(KINDS), pick(REGIONS)]
          await insertBucket(
            trx,
            { namespaceId },
            {
              bucket_id: newId.bucket(),
              bucket_name: `${team}-${kind}-${String(i).padStart(6, '0')}`,
              description: `${kind.replace('-', ' ')} of the ${team} team`,
              bucket_schema: JSON.stringify({
                properties: {
                  hero: { type: 'image', required: true },
                  title: { type: 'text', required: false },
                },
              }),
              unique_key: null,
              metadata: JSON.stringify({ region, owner: `owner${i % 1000}`, tier: i % 5 }),
              storage_class: null,
              source_adapter: null,
              created_at: toTimestamp(FIRST_MS + i * 60_000),
              is_locked: false,
            },
          )
        }
      })
    }
    await fillCounters(db)
    // As after weeks of use: the query planner knows the tables.
    await sql`analyze`.execute(db)
  } finally {
    await db.destroy()
  }
}

/** What uploads and batches would have counted, spread over the buckets. */
async function fillCounters(db: ReturnType<typeof openDb>): Promise<void> {
  await inTransaction(db, async (trx) => {
    await sql`update buckets set object_count = bucket_seq * 7919 % 1000,
      total_size_bytes = (bucket_seq * 7919 % 1000) * 40960, max_size_bytes = 81920, min_size_bytes = 1024,
      last_upload_at = created_at, batch_total = 3, batch_completed = 2, batch_failed = 1`.execute(trx)
    await sql`update bucket_totals set
      object_count = (select sum(object_count) from buckets b where b.namespace_id = bucket_totals.namespace_id),
      total_size_bytes = (select sum(total_size_bytes) from buckets b where b.namespace_id = bucket_totals.namespace_id)`.execute(
      trx,
    )
  })
}

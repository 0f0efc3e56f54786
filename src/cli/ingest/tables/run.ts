import { dirname, resolve } from 'node:path'
import { ApiError, type Client } from '../../client.ts'
import { Progress } from '../../progress.ts'
import { createBatch, REQUEST_BYTES_MAX, REQUEST_OBJECTS_MAX } from '../create.ts'
import { eachObject, isProcessed } from '../known.ts'
import type { IngestReport } from '../report.ts'
import { IngestWork } from '../work.ts'
import { type ColumnRule, parseMapping, planColumns } from './columns.ts'
import { readTable, type TableRow } from './read-table.ts'
import { keyOf, ROW_HASH, ROW_KEY, type RowObject, toObject } from './rows.ts'
import { ensureTableSetup } from './setup.ts'

/** Rows that types are read off. */
const SAMPLE_ROWS = 1000

type Options = {
  path: string
  bucket: string
  map?: readonly string[] | undefined
  key?: readonly string[] | undefined
  quiet?: boolean
}

type Known = { object_id: string; hash: unknown; is_processed: boolean }

/**
 * Puts the rows of a table into a bucket, one object each, and processes them. The key columns name a
 * row (its content does where there are none): running again overwrites changed rows, leaves the
 * others alone, and processes those that an interrupted run only uploaded.
 */
export async function ingestTable(client: Client, options: Options): Promise<IngestReport> {
  const { path, bucket, quiet = false } = options
  const start_ms = performance.now()
  const plan = await planTable(options)
  const { collections } = await ensureTableSetup(client, bucket, plan)
  const known = await knownRows(client, bucket, plan.keys)
  const progress = new Progress({ quiet })
  const work = new IngestWork(client, bucket, progress, { processes: collections.length > 0 })
  const table = new TableWork(client, bucket, work, known)
  try {
    for await (const row of readTable(path)) await table.row(row, { ...plan, folder: dirname(resolve(path)) })
    await table.send()
    await work.finish()
  } finally {
    progress.stop()
  }
  return {
    bucket,
    retriever: bucket,
    found: table.found,
    unchanged: table.unchanged,
    uploaded: work.uploadedCount,
    processed: work.processedCount,
    failed: work.failed,
    skipped: [],
    took_ms: performance.now() - start_ms,
  }
}

async function planTable({
  path,
  map = [],
  key = [],
}: Options): Promise<{ rules: ColumnRule[]; keys: string[] }> {
  const sample: TableRow[] = []
  for await (const row of readTable(path)) {
    sample.push(row)
    if (sample.length === SAMPLE_ROWS) break
  }
  if (sample.length === 0) throw new ApiError(0, `${path} holds no rows.`, null)
  const planned = planColumns(sample, parseMapping(map))
  const keys = key.map((name) => {
    const rule = planned.find(({ field, column }) => field === name || column === name)
    if (!rule)
      throw new ApiError(0, `--unique-key ${name}: there is no such column among those that go in.`, null)
    return rule.field
  })
  // A key is compared, not searched, whatever its values look like.
  const rules = planned.map((rule) =>
    keys.includes(rule.field) && rule.type === 'text' ? { ...rule, type: 'string' as const } : rule,
  )
  return { rules, keys }
}

async function knownRows(
  client: Client,
  bucket: string,
  keys: readonly string[],
): Promise<Map<string, Known>> {
  const known = new Map<string, Known>()
  for await (const object of eachObject(client, bucket, [...keys, ROW_HASH, ROW_KEY, 'status'])) {
    if (object[ROW_HASH] === undefined) continue
    known.set(keys.length > 0 ? keyOf(object, keys) : String(object[ROW_KEY]), {
      object_id: String(object.object_id),
      hash: object[ROW_HASH],
      is_processed: isProcessed(object),
    })
  }
  return known
}

/** Gathers rows into requests and hands what was created to processing. */
class TableWork {
  readonly #client: Client
  readonly #bucket: string
  readonly #work: IngestWork
  readonly #known: Map<string, Known>
  #group: { path: string; row: RowObject }[] = []
  #group_bytes = 0
  found = 0
  unchanged = 0

  constructor(client: Client, bucket: string, work: IngestWork, known: Map<string, Known>) {
    this.#client = client
    this.#bucket = bucket
    this.#work = work
    this.#known = known
  }

  async row(row: TableRow, plan: Parameters<typeof toObject>[1]): Promise<void> {
    this.found += 1
    const path = row.place
    if ('reason' in row) return this.#work.fail([{ path, reason: row.reason }])
    try {
      const made = await toObject(row.values, plan)
      const known = this.#known.get(made.key)
      if (known?.hash !== made.hash) return await this.#add({ path, row: made })
      if (known.is_processed) this.unchanged += 1
      else await this.#work.resume(known.object_id, path)
    } catch (error) {
      if (error instanceof ApiError) throw error
      this.#work.fail([{ path, reason: (error as Error).message }])
    }
  }

  async #add(item: { path: string; row: RowObject }): Promise<void> {
    this.#group.push(item)
    this.#group_bytes += JSON.stringify(item.row.object).length
    if (this.#group.length === REQUEST_OBJECTS_MAX || this.#group_bytes > REQUEST_BYTES_MAX) await this.send()
  }

  async send(): Promise<void> {
    const group = this.#group
    if (group.length === 0) return
    this.#group = []
    this.#group_bytes = 0
    const { succeeded, failed } = await createBatch(
      this.#client,
      this.#bucket,
      group.map(({ row }) => row.object),
    )
    const failures = failed.map(({ object_index, error }) => ({
      path: group[object_index]?.path ?? '?',
      reason: error,
    }))
    await this.#work.uploaded(
      group,
      succeeded.map(({ object_id }) => object_id),
      failures,
    )
  }
}

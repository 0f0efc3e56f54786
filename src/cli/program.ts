import { stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { ApiError, type ConnectionFlags, connect } from './client.ts'
import { collect, connected, positive } from './flags.ts'
import { addBatchCommands } from './groups/batches.ts'
import { addBucketCommands } from './groups/buckets.ts'
import { addObjectCommands } from './groups/objects.ts'
import { addKeyCommands, addSecretCommands, addWebhookCommands } from './groups/organization.ts'
import { addConnectionCommands, addSyncCommands } from './groups/syncs.ts'
import { addTaskCommands } from './groups/tasks.ts'
import { addUploadCommands } from './groups/uploads.ts'
import type { IngestReport } from './ingest/report.ts'
import { ingest } from './ingest/run.ts'
import { isTable, TABLE_EXTENSIONS } from './ingest/tables/read-table.ts'
import { ingestTable } from './ingest/tables/run.ts'
import { bold, dim, green, json, line, seconds, table, yellow } from './output.ts'
import { printHits, search } from './search.ts'

/** Lines of a failure list before it is cut. */
const FAILURES_SHOWN = 20

/** Adds the commands that talk to a running server, as any client does. */
export function addClientCommands(program: Command): void {
  connected(program.command('ingest'))
    .argument('<source>', 'folder whose files go in, or a table: CSV, TSV, JSON Lines or Parquet')
    .requiredOption(
      '--bucket <name>',
      'bucket to put them into; made with collections and a retriever when absent',
    )
    .option(
      '--map <field=column[:type]>',
      'table: which columns go in, and as what; may be repeated',
      collect,
    )
    .option('--unique-key <columns>', 'table: comma list of the columns that name a row')
    .description(
      'Put a folder of texts, pictures and PDFs, or the rows of a table, into a bucket and process them. Run again to resume.',
    )
    .action(async (source: string, flags: IngestFlags) => {
      const report = await ingestSource(source, flags)
      if (flags.json) json(report)
      else printReport(report)
      if (report.failed.length > 0) process.exitCode = 2
    })

  connected(program.command('search'))
    .argument('[words]', 'what to look for')
    .option('--image <file>', 'look for pictures like this one')
    .option('--limit <count>', 'results to show', positive, 10)
    .option('--bucket <name>', 'bucket that `kura ingest` filled', 'demo')
    .description('Search what was ingested, by meaning and by words, or by picture.')
    .action(
      async (
        words: string | undefined,
        flags: ConnectionFlags & { bucket: string; image?: string; limit: number; json?: boolean },
      ) => {
        if (!words && !flags.image)
          throw new ApiError(0, 'Say what to look for: words, or --image <file>.', null)
        const result = await search(await connect(flags), { ...flags, query: words })
        if (flags.json) json(result)
        else await printHits(result)
      },
    )

  addBucketCommands(program)
  addObjectCommands(program)
  addUploadCommands(program)
  addBatchCommands(program)
  addTaskCommands(program)
  addConnectionCommands(program)
  addSyncCommands(program)
  addWebhookCommands(program)
  addKeyCommands(program)
  addSecretCommands(program)
}

type IngestFlags = ConnectionFlags & { bucket: string; json?: boolean; map?: string[]; uniqueKey?: string }

async function ingestSource(source: string, flags: IngestFlags): Promise<IngestReport> {
  const { bucket, map, uniqueKey, json: quiet = false } = flags
  const found = await stat(source).catch(() => null)
  if (found?.isDirectory()) return ingest(await connect(flags), { folder: source, bucket, quiet })
  if (!found?.isFile() || !isTable(source))
    throw new ApiError(0, `${source} is neither a folder nor a table (${TABLE_EXTENSIONS.join(', ')}).`, null)
  const key = uniqueKey?.split(',')
  return ingestTable(await connect(flags), { path: source, bucket, map, key, quiet })
}

export function printReport(report: IngestReport): void {
  const { found, unchanged, uploaded, processed, failed, skipped, took_ms, bucket } = report
  line(
    `${green('Done')} in ${seconds(took_ms)}: ${found} found, ${unchanged} unchanged, ${uploaded} uploaded, ${processed} processed.`,
  )
  const problems = [
    ...failed.map((one) => ({ ...one, kind: 'failed' })),
    ...skipped.map((one) => ({ ...one, kind: 'skipped' })),
  ]
  if (problems.length > 0) {
    line(yellow(`${failed.length} failed, ${skipped.length} skipped:`))
    table(
      ['', 'where', 'reason'],
      problems.slice(0, FAILURES_SHOWN).map(({ kind, path, reason }) => [kind, path, reason]),
    )
    if (problems.length > FAILURES_SHOWN)
      line(dim(`… and ${problems.length - FAILURES_SHOWN} more (--json lists all)`))
  }
  line(`Search it: ${bold(`kura search "your words" --bucket ${bucket}`)}`)
}

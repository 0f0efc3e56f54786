import { stat } from 'node:fs/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ApiError, type ConnectionFlags, connect } from './client.ts'
import { type IngestReport, ingest } from './ingest/run.ts'
import { bold, dim, green, json, line, seconds, table, yellow } from './output.ts'
import { printHits, search } from './search.ts'

/** Lines of a failure list before it is cut. */
const FAILURES_SHOWN = 20

/** Adds the commands that talk to a running server, as any client does. */
export function addClientCommands(program: Command): void {
  connected(program.command('ingest'))
    .argument('<folder>', 'folder whose files go in')
    .requiredOption(
      '--bucket <name>',
      'bucket to put them into; made with collections and a retriever when absent',
    )
    .description(
      'Put a folder of texts, pictures and PDFs into a bucket and process it. Run again to resume.',
    )
    .action(async (folder: string, flags: ConnectionFlags & { bucket: string; json?: boolean }) => {
      if (!(await stat(folder).catch(() => null))?.isDirectory())
        throw new ApiError(0, `${folder} is not a folder.`, null)
      const report = await ingest(await connect(flags), {
        folder,
        bucket: flags.bucket,
        quiet: flags.json ?? false,
      })
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
}

/** The flags of every command that needs a server. */
function connected(command: Command): Command {
  return command
    .option('--url <address>', 'server (KURA_URL)')
    .option('--key <key>', 'API key (KURA_API_KEY)')
    .option('--namespace <name>', 'namespace id or name (KURA_NAMESPACE)')
    .addOption(new Option('--json', 'print JSON for machines'))
}

export function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It must be a whole number from 1 on.')
  return value
}

export function printReport(report: IngestReport): void {
  const { found, unchanged, uploaded, processed, failed, skipped, took_ms, bucket } = report
  line(
    `${green('Done')} in ${seconds(took_ms)}: ${found} files found, ${unchanged} unchanged, ${uploaded} uploaded, ${processed} processed.`,
  )
  const problems = [
    ...failed.map((one) => ({ ...one, kind: 'failed' })),
    ...skipped.map((one) => ({ ...one, kind: 'skipped' })),
  ]
  if (problems.length > 0) {
    line(yellow(`${failed.length} failed, ${skipped.length} skipped:`))
    table(
      ['', 'file', 'reason'],
      problems.slice(0, FAILURES_SHOWN).map(({ kind, path, reason }) => [kind, path, reason]),
    )
    if (problems.length > FAILURES_SHOWN)
      line(dim(`… and ${problems.length - FAILURES_SHOWN} more (--json lists all)`))
  }
  line(`Search it: ${bold(`kura search "your words" --bucket ${bucket}`)}`)
}

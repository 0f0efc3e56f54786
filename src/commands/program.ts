import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Config, type ConfigFlags, ConfigSchema, loadConfig } from '../config.ts'

/** Adds the commands that are the server: they open its database themselves. */
export function addServerCommands(program: Command): void {
  configured(program.command('serve'))
    .description('Serve the API and run the engine, in the foreground.')
    .option('--no-engine', 'API only; run `kura worker` elsewhere')
    .action(async (flags: ConfigFlags & { engine: boolean }) => {
      const { runServer } = await import('./serve.ts')
      await runServer(load({ ...flags, ...(!flags.engine && { engine_processes: 0 }) }))
    })

  configured(program.command('worker'))
    .description('Run the engine only, in the foreground.')
    .action(async (flags: ConfigFlags) => {
      const { runWorker } = await import('../worker.ts')
      await runWorker(load(flags))
    })

  configured(program.command('migrate'))
    .description('Bring the database to this version.')
    .option('--json', 'print JSON for machines')
    .action(async (flags: ConfigFlags & { json?: boolean }) => {
      const { runMigrate } = await import('./migrate.ts')
      await runMigrate(load(flags), { asJson: flags.json ?? false })
    })

  configured(program.command('doctor'))
    .description('Compare database, files and indexes; exit code 1 when they differ.')
    .option('--repair', 'mend what can be mended')
    .option('--json', 'print JSON for machines')
    .action(async (flags: ConfigFlags & { repair?: boolean; json?: boolean }) => {
      const { runDoctor } = await import('./doctor.ts')
      await runDoctor(load(flags), { repair: flags.repair ?? false, asJson: flags.json ?? false })
    })

  addStorageCommands(program)

  configured(program.command('demo'))
    .description('Start a server with files of its own, search them, and keep serving.')
    .option('--exit', 'stop after the searches')
    .option('--json', 'print the results as JSON')
    .action(async (flags: ConfigFlags & { exit?: boolean; json?: boolean }) => {
      const { runDemo } = await import('../demo/run.ts')
      await runDemo(flags, { exit: flags.exit ?? false, asJson: flags.json ?? false })
    })
}

/** Files at rest: moving them to another store, and comparing them with the database. */
function addStorageCommands(program: Command): void {
  const storage = program.command('storage').description('Move and verify stored files.')

  configured(storage.command('copy'))
    .description('Copy all stored files to another store; run it again to go on or to catch up.')
    .requiredOption('--to <url>', 'file:<path> or s3://<bucket>/<prefix>')
    .option('--from <url>', 'the store that holds them (default: the configured one)')
    .option('--concurrency <n>', 'files at a time', concurrency, 8)
    .option('--dry-run', 'only tell what would be copied')
    .option('--json', 'print JSON for machines')
    .action(async (flags: ConfigFlags & StorageFlags & { from?: string; to: string }) => {
      const { runStorageCopy } = await import('./storage.ts')
      const { from, to, concurrency, dryRun: dry_run = false, json: as_json = false } = flags
      await runStorageCopy(load(flags), { from, to, concurrency, dry_run, as_json })
    })

  configured(storage.command('verify'))
    .description('Compare every stored file with the database; exit code 1 when they differ.')
    .option('--sizes-only', 'compare sizes without reading the files')
    .option('--concurrency <n>', 'files at a time', concurrency, 8)
    .option('--json', 'print JSON for machines')
    .action(async (flags: ConfigFlags & StorageFlags) => {
      const { runStorageVerify } = await import('./storage.ts')
      const { concurrency, sizesOnly: sizes_only = false, json: as_json = false } = flags
      await runStorageVerify(load(flags), { sizes_only, concurrency, as_json })
    })
}

type StorageFlags = { concurrency: number; dryRun?: boolean; sizesOnly?: boolean; json?: boolean }

function concurrency(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 64)
    throw new InvalidArgumentError('It must be a whole number from 1 to 64.')
  return count
}

/** Every setting as a flag, with the description and default of the one schema. */
function configured(command: Command): Command {
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    const { description = '', default: fallback } = schema as { description?: string; default?: unknown }
    const note = `KURA_${name.toUpperCase()}${fallback === undefined || fallback === '' ? '' : `, default ${String(fallback)}`}`
    command.addOption(new SettingOption(name, `${description} (${note})`))
  }
  return command
}

/** The flag has dashes, the setting keeps its own name. */
class SettingOption extends Option {
  readonly #setting: string

  constructor(setting: string, description: string) {
    super(`--${setting.replaceAll('_', '-')} <value>`, description)
    this.#setting = setting
  }

  override attributeName(): string {
    return this.#setting
  }
}

function load(flags: ConfigFlags): Config {
  return loadConfig(process.env, flags)
}

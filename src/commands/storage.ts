import { bytes, green, json, line, table, yellow } from '../cli/output.ts'
import { Progress } from '../cli/progress.ts'
import type { Config } from '../config.ts'
import { KuraError } from '../core/errors.ts'
import type { BlobStore } from '../platform/blobs/blobs.ts'
import { openBlobs, tryBlobs } from '../platform/blobs/open-blobs.ts'
import { type Db, openDb } from '../platform/db/db.ts'
import { migrate } from '../platform/db/migrate.ts'
import { migrations } from '../platform/db/migrations/index.ts'
import { copyFiles, type FileProblem } from '../platform/files/copy-files.ts'
import { countStoredBytes } from '../platform/files/stored-bytes.ts'
import { verifyFiles } from '../platform/files/verify-files.ts'

const MIB = 1024 * 1024
/** More are counted, not shown. */
const PROBLEMS_SHOWN_MAX = 20

export type CopyFlags = {
  from?: string | undefined
  to: string
  concurrency: number
  dry_run: boolean
  as_json: boolean
}

/** `kura storage copy`: all stored bytes from one store to another. Exit code 1 when files had problems. */
export async function runStorageCopy(config: Config, flags: CopyFlags): Promise<void> {
  const { from: from_url = config.storage_url, to: to_url, concurrency, dry_run, as_json } = flags
  if (from_url === to_url)
    throw new KuraError('config_invalid', { reason: `--from and --to are the same store: ${to_url}.` })
  const from = await openStore(config, from_url)
  const to = await openStore(config, to_url)
  await withDatabase(config, async (db) => {
    const { onDone, stop } = await showProgress(db, dry_run ? 'look' : 'copy', as_json)
    const run = copyFiles({ db, from, to, concurrency, dry_run, signal: stopSignal(), onDone })
    const result = await run.finally(stop)
    const { copied, copied_bytes, skipped, unfinished, problems } = result
    if (problems.length > 0) process.exitCode = 1
    if (as_json) return json({ from: from_url, to: to_url, dry_run, ...result })
    line(
      `${dry_run ? 'Would copy' : 'Copied'} ${copied} files (${bytes(copied_bytes)}); ${skipped} were there already.`,
    )
    if (unfinished > 0)
      line(
        yellow(`${unfinished} unfinished uploads stay behind: let their clients finish, or start them anew.`),
      )
    showProblems(problems)
    if (!dry_run && problems.length === 0)
      line(green(`Now set KURA_STORAGE_URL=${to_url} and start the server.`))
  })
}

export type VerifyFlags = { sizes_only: boolean; concurrency: number; as_json: boolean }

/** `kura storage verify`: the configured store against the database. Exit code 1 when they differ. */
export async function runStorageVerify(config: Config, flags: VerifyFlags): Promise<void> {
  const { sizes_only, concurrency, as_json } = flags
  const blobs = await openStore(config, config.storage_url)
  await withDatabase(config, async (db) => {
    const { onDone, stop } = await showProgress(db, 'verify', as_json)
    const run = verifyFiles({ db, blobs, sizes_only, concurrency, signal: stopSignal(), onDone })
    const result = await run.finally(stop)
    if (result.problems.length > 0) process.exitCode = 1
    if (as_json) return json({ storage_url: config.storage_url, sizes_only, ...result })
    line(`Checked ${result.checked} files (${bytes(result.checked_bytes)}).`)
    showProblems(result.problems)
    if (result.problems.length === 0) line(green('Every file is there and as it was written.'))
  })
}

async function openStore(config: Config, storage_url: string): Promise<BlobStore> {
  const store = openBlobs({ ...config, storage_url })
  await tryBlobs(store, storage_url, {
    warn(details) {
      throw (details as { err: Error }).err
    },
  })
  return store
}

async function withDatabase(config: Config, work: (db: Db) => Promise<void>): Promise<void> {
  const db = openDb(config.database_url, { durability: 'full' })
  try {
    await migrate(db, migrations)
    await work(db)
  } finally {
    await db.destroy()
  }
}

/** A bar over all bytes, in MiB. */
async function showProgress(db: Db, name: string, quiet: boolean) {
  const progress = new Progress({ quiet })
  const bar = progress.bar(`${name} MiB`)
  bar.total(Math.ceil((await countStoredBytes(db)).size_bytes / MIB))
  let done_bytes = 0
  return {
    onDone(size_bytes: number) {
      done_bytes += size_bytes
      bar.done(Math.ceil(done_bytes / MIB))
    },
    stop() {
      bar.stop()
      progress.stop()
    },
  }
}

function showProblems(problems: readonly FileProblem[]): void {
  if (problems.length === 0) return
  line(yellow(`${problems.length} files have problems:`))
  table(
    ['file', 'problem'],
    problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ storage_key, reason }) => [storage_key, reason]),
  )
  if (problems.length > PROBLEMS_SHOWN_MAX)
    line(`… and ${problems.length - PROBLEMS_SHOWN_MAX} more; --json lists all.`)
}

/** Ends the work cleanly on the first Ctrl-C: what is half written is removed, the rest stays for the next run. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  const onSignal = () => stop.abort(new KuraError('interrupted'))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  return stop.signal
}

import { join, resolve } from 'node:path'
import { Client } from '../cli/client.ts'
import { ingest } from '../cli/ingest/run.ts'
import { bold, dim, green, json, line, seconds } from '../cli/output.ts'
import { printReport } from '../cli/program.ts'
import { printHits, type SearchResult, search } from '../cli/search.ts'
import { untilStopped } from '../commands/serve.ts'
import { type Config, type ConfigFlags, loadConfig } from '../config.ts'
import { KuraError } from '../core/errors.ts'
import { type RunningServer, serve } from '../serve.ts'
import { writeDemoFiles } from './files.ts'
import { type DemoSearch, SEARCHES } from './texts.ts'

const BUCKET = 'demo'
const HITS_SHOWN = 3

/** Serves an embedded home, fills it with files of its own, searches them, and keeps serving. */
export async function runDemo(
  flags: ConfigFlags,
  { exit, asJson }: { exit: boolean; asJson: boolean },
): Promise<void> {
  const start_ms = performance.now()
  const config = loadConfig(process.env, {
    home: process.env.KURA_HOME ?? './.kura/demo',
    log_level: process.env.KURA_LOG_LEVEL ?? 'warn',
    ...defined(flags),
  })
  const { server, note } = await start(config)
  try {
    if (server.root_key === null)
      throw new KuraError('config_invalid', {
        reason: `The API key of ${config.home} is not known. Set KURA_ROOT_KEY to it, or to another one that replaces it.`,
      })
    const client = new Client({ url: server.url, key: server.root_key })
    const folder = join(config.home, 'files')
    const count = await writeDemoFiles(folder)
    if (!asJson) {
      line(`${bold('Kura')} serves ${server.url}${note}`)
      line(`Made ${count} small files (texts, pictures, a PDF, JSON) in ${folder}. Ingesting …`)
    }
    const [report] = await Promise.all([
      ingest(client, { folder, bucket: BUCKET, quiet: asJson }),
      server.warm(),
    ])
    if (!asJson) printReport(report)
    const found = await runSearches(client, folder, asJson)
    const took_ms = performance.now() - start_ms
    if (asJson) json({ url: server.url, report, searches: found, took_ms })
    else printNextSteps(server, config, took_ms)
  } catch (error) {
    await server.close()
    throw error
  }
  if (exit) await server.close()
  else await untilStopped(() => server.close())
}

/** The configured port, or a free one when another program has it: a first look must not end there. */
async function start(config: Config): Promise<{ server: RunningServer; note: string }> {
  try {
    return { server: await serve(config), note: '' }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    const server = await serve(Object.freeze({ ...config, port: 0 }))
    return { server, note: dim(` (port ${config.port} is taken)`) }
  }
}

async function runSearches(
  client: Client,
  folder: string,
  asJson: boolean,
): Promise<(DemoSearch & SearchResult)[]> {
  const found: (DemoSearch & SearchResult)[] = []
  for (const one of SEARCHES) {
    const what = 'query' in one ? { query: one.query } : { image: resolve(folder, one.picture) }
    const result = await search(client, { bucket: BUCKET, limit: HITS_SHOWN, ...what })
    found.push({ ...one, ...result })
    if (asJson) continue
    line(`\n${green('Search')} ${bold(one.title)} ${dim(`(${one.note})`)}`)
    await printHits(result)
  }
  return found
}

function printNextSteps({ url, root_key }: RunningServer, config: Config, took_ms: number): void {
  const kura = './bin/kura'
  line(`\nFrom start to here: ${seconds(took_ms)}. Next:`)
  line(`  export KURA_URL=${url} KURA_API_KEY=${root_key}`)
  line(`  ${kura} search "how does the moon move the sea"            ${dim('search the demo')}`)
  line(
    `  ${kura} ingest ~/Documents --bucket documents             ${dim('your own files; run again to resume')}`,
  )
  line(`  curl -s $KURA_URL/v1/buckets/list -X POST -H "Authorization: Bearer $KURA_API_KEY"`)
  line(`  ${url}/docs                                 ${dim('API reference')}`)
  line(dim(`Everything is in ${config.home}. Ctrl-C stops.`))
}

const defined = (flags: ConfigFlags): ConfigFlags =>
  Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))

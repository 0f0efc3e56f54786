// `npm run bench` runs every benchmark, `npm run bench -- start retrieve` those named.
import { bold, line } from '../src/cli/output.ts'

/** In this order: what is quick and independent first. */
const BENCHES: Record<string, () => Promise<{ run(): Promise<void> }>> = {
  start: () => import('./start.ts'),
  storage: () => import('./storage.ts'),
  images: () => import('./images.ts'),
  cranfield: () => import('./cranfield.ts'),
  buckets: () => import('./buckets.ts'),
  objects: () => import('./objects.ts'),
  ingest: () => import('./ingest.ts'),
  uploads: () => import('./uploads.ts'),
  sync: () => import('./sync.ts'),
  retrieve: () => import('./retrieve.ts'),
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in BENCHES))
if (unknown.length > 0) {
  console.error(`No benchmark "${unknown.join('", "')}". There are: ${Object.keys(BENCHES).join(', ')}.`)
  process.exit(1)
}

const failed: string[] = []
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES)) {
  try {
    const { run } = await BENCHES[name]!()
    await run()
  } catch (error) {
    // One that cannot run must not hide the figures of the others.
    console.error(`${name}:`, error)
    failed.push(name)
  }
}
if (failed.length > 0) {
  line(bold(`Could not be measured: ${failed.join(', ')}`))
  process.exitCode = 1
}

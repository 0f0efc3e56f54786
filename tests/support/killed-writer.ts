// A process that writes one blob without end, to be killed: settings as JSON and the key as arguments.
import { setTimeout as sleep } from 'node:timers/promises'
import { openBlobs } from '../../src/platform/blobs/open-blobs.ts'

const [config = '', key = ''] = process.argv.slice(2)

async function* endless() {
  const chunk = Buffer.alloc(1024 * 1024)
  for (let i = 0; ; i++) {
    // By then the first parts have been sent, whatever their size.
    if (i === 40) process.stdout.write('written\n')
    if (i > 40) await sleep(10)
    yield chunk
  }
}
await openBlobs(JSON.parse(config)).put(key, endless(), { limit_bytes: 1e10 })

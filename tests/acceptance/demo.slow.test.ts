import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { kura, takenPort, temporaryFolder } from './kura.ts'

type Demo = {
  url: string
  report: { found: number; uploaded: number; processed: number; unchanged: number; failed: unknown[] }
  searches: { query?: string; picture?: string; results: { path: string; score: number }[] }[]
  took_ms: number
}

describe('kura demo', { timeout: 300_000 }, () => {
  let folder: { path: string; remove(): Promise<void> }
  const demo = async (...args: string[]) => {
    const { code, stdout, stderr } = await kura(['demo', '--exit', '--json', '--port', '0', ...args], {
      env: { KURA_HOME: folder.path },
    })
    assert.equal(code, 0, stderr)
    return JSON.parse(stdout) as Demo
  }
  let first: Demo

  before(async () => {
    folder = await temporaryFolder()
    first = await demo()
  })
  after(() => folder.remove())

  test('ingests its own texts, pictures and PDF without a failure', async () => {
    const { found, uploaded, processed, failed } = first.report
    assert.ok(found > 10, `${found} files`)
    assert.deepEqual({ uploaded, processed, failed }, { uploaded: found, processed: found, failed: [] })
    const kinds = new Set(
      (await readdir(join(folder.path, 'files'), { recursive: true })).map((path) => path.split('.')[1]),
    )
    for (const kind of ['md', 'json', 'png', 'pdf']) assert.ok(kinds.has(kind), kind)
  })

  test('finds by meaning what shares no words with the search', () => {
    const best = Object.fromEntries(
      first.searches.map(({ query, picture, results }) => [query ?? picture, results[0]?.path]),
    )
    assert.deepEqual(best, {
      'how do my plants survive my holiday': 'garden/self-watering-pots.md',
      'something quick to eat': 'kitchen/omelette.md',
      'compensation because my journey was delayed': 'rules/passenger-rights.pdf',
      'pictures/sunset-1.png': 'pictures/sunset-1.png',
    })
  })

  test('finds the look-alike of a picture next to the picture itself', () => {
    const pictures = first.searches.find(({ picture }) => picture !== undefined)
    assert.equal(pictures?.results[1]?.path, 'pictures/sunset-2.png')
  })

  test('a second run uploads nothing and finds the same', async () => {
    const second = await demo()
    assert.equal(second.report.uploaded, 0)
    assert.equal(second.report.unchanged, first.report.found)
    const paths = ({ searches }: Demo) => searches.map(({ results }) => results.map((hit) => hit.path))
    assert.deepEqual(paths(second), paths(first))
  })

  test('serves another port when its own is taken', async () => {
    const { port, free } = await takenPort()
    try {
      const { url } = await demo('--port', String(port))
      assert.notEqual(new URL(url).port, String(port))
    } finally {
      await free()
    }
  })

  test('prints the searches and what to try next for a person', async () => {
    const { code, stdout } = await kura(['demo', '--exit', '--port', '0'], {
      env: { KURA_HOME: folder.path },
    })
    assert.equal(code, 0)
    assert.match(stdout, /Kura serves http/)
    assert.match(stdout, /self-watering-pots\.md/)
    assert.match(stdout, /export KURA_URL=http.* KURA_API_KEY=sk_/)
  })
})

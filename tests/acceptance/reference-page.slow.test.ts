import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { serve } from './kura.ts'

const BROWSER = process.env.KURA_TEST_BROWSER ?? '/usr/bin/chromium'
const skip = existsSync(BROWSER) ? false : `no browser at ${BROWSER}; set KURA_TEST_BROWSER`

test('the reference page shows the operations in a browser, and fetches nothing from elsewhere', {
  skip,
}, async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'kura-page-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  const server = await serve(home)
  t.after(() => server.stop())
  const browser = await chromium.launch({
    executablePath: BROWSER,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
  t.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const foreign: string[] = []
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    if (protocol.startsWith('http') && origin !== server.url) foreign.push(request.url())
  })
  await page.goto(`${server.url}/docs`, { waitUntil: 'networkidle' })
  await page.getByText('Kura', { exact: false }).first().waitFor({ timeout: 30_000 })
  assert.match(await page.content(), /\/v1\/buckets\/list|buckets/i)
  if (process.env.KURA_TEST_SCREENSHOTS)
    await page.screenshot({ path: join(process.env.KURA_TEST_SCREENSHOTS, 'reference.png') })
  assert.deepEqual(foreign, [])
})

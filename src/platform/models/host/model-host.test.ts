import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeTinyModel } from '../../../../tests/support/tiny-text-model.ts'
import { bindSlots } from '../slots.ts'
import type { Work } from './messages.ts'
import { ModelHost } from './model-host.ts'

/** A host of the shipped model, and requests for it. */
function shippedHost() {
  const host = new ModelHost({ options: {} })
  after(() => host.close())
  const fingerprint = bindSlots({}).get('text')!.describe().fingerprint
  const work = (texts: string[]): Work => ({
    type: 'embed',
    slot: 'text',
    fingerprint,
    purpose: 'query',
    inputs: texts.map((text) => ({ text })),
  })
  return { host, work, fingerprint }
}

/** 0.8 s or more of work. */
const LONG = Array<string>(32).fill('word '.repeat(300))

test('no child runs before the first request', async () => {
  const { host, work } = shippedHost()
  assert.equal(host.pid, undefined)
  const [vector] = await host.request(work(['cat']))
  assert.equal(vector?.length, 384)
  assert.ok(host.pid)
})

test('a child killed under work fails that work, and the next request is served by a new child', async () => {
  const { host, work } = shippedHost()
  await host.request(work(['cat']))
  const killed = host.pid!
  const lost = host.request(work(LONG))
  setTimeout(() => process.kill(killed, 'SIGKILL'), 100)
  await assert.rejects(lost, (error: Error & { code?: string }) => {
    assert.equal(error.code, 'inference_failed')
    assert.match(String(error.cause), /SIGKILL/)
    return true
  })
  assert.equal((await host.request(work(['cat'])))[0]?.length, 384)
  assert.notEqual(host.pid, killed)
})

test('a child that keeps dying is started less and less often, and what waits is served in the end', async () => {
  const { host, work } = shippedHost()
  await host.request(work(['cat']))
  for (let death = 0; death < 2; death++) {
    const lost = host.request(work(LONG))
    const pid = host.pid!
    // A child that has answered nothing since its start counts as the next death in a row.
    process.kill(pid, 'SIGKILL')
    await assert.rejects(lost, { code: 'inference_failed' })
  }
  const started = performance.now()
  const waiting = host.request(work(['cat']))
  assert.equal(host.pid, undefined)
  assert.equal((await waiting)[0]?.length, 384)
  assert.ok(performance.now() - started >= 240)
})

test('an aborted request rejects at once, and the child does not go on with it', async () => {
  const { host, work } = shippedHost()
  await host.request(work(['cat']))
  const controller = new AbortController()
  const aborted = host.request(work([...LONG, ...LONG, ...LONG, ...LONG]), controller.signal)
  await sleep(50)
  const started = performance.now()
  controller.abort(new Error('no longer wanted'))
  await assert.rejects(aborted, /no longer wanted/)
  await host.request(work(['dog']))
  // The rest of the aborted request would take three seconds and more.
  assert.ok(performance.now() - started < 2000, `${performance.now() - started}`)
  await assert.rejects(host.request(work(['cat']), controller.signal), /no longer wanted/)
})

test('requests over the bound fail at once', async () => {
  const { host, work } = shippedHost()
  const accepted = Array.from({ length: 1024 }, () => host.request(work([])))
  await assert.rejects(host.request(work([])), {
    code: 'inference_failed',
    message: /Too many requests/,
  })
  await Promise.all(accepted)
})

test('a child whose model differs from what its parent described is not used', async () => {
  const { models_path, name } = writeTinyModel()
  const host = new ModelHost({ options: { models_path, text_model: name } })
  after(() => host.close())
  await assert.rejects(host.request({ type: 'load', slot: 'text', fingerprint: 'of another model' }), {
    code: 'model_damaged',
    message: /changed while the server was running/,
  })
})

test('closing fails what is under way and ends the child', async () => {
  const { host, work } = shippedHost()
  await host.request(work(['cat']))
  const pid = host.pid!
  const failing = assert.rejects(host.request(work(LONG)), { code: 'inference_failed' })
  await host.close()
  await failing
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  await assert.rejects(host.request(work(['cat'])), { code: 'inference_failed', message: /shutting down/ })
})

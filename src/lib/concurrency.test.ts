import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eachConcurrently } from './concurrency.ts'

test('after a failure nothing new begins, what runs is told to stop and waited for', async () => {
  const begun: number[] = []
  let stopped = false
  const run = eachConcurrently([0, 1, 2, 3, 4], { limit: 2 }, async (item, signal) => {
    begun.push(item)
    if (item === 0) throw new Error('first')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await sleep(5)
    stopped = true
    throw new Error('second')
  })
  await assert.rejects(run, { message: 'first' })
  assert.deepEqual(begun, [0, 1])
  assert.ok(stopped)
})

test('a signal ends it with the reason of the signal', async () => {
  const stop = new AbortController()
  let done = 0
  const run = eachConcurrently([0, 1, 2], { limit: 1, signal: stop.signal }, async () => {
    done++
    stop.abort(new Error('enough'))
  })
  await assert.rejects(run, { message: 'enough' })
  assert.equal(done, 1)
})

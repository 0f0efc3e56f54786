import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BatchQueue } from './batch-queue.ts'

/** A queue whose batches wait for `release`, and the batches it has run so far. */
function recorded({ batch_max }: { batch_max: number }) {
  const batches: string[][] = []
  let release: () => void = () => undefined
  const queue = new BatchQueue<string, string>({
    batch_max,
    length: (item) => item.length,
    async run(items) {
      batches.push([...items])
      await new Promise<void>((resolve) => {
        release = resolve
      })
      if (items.includes('bad')) throw new Error('bad item')
      return items.map((item) => item.toUpperCase())
    },
  })
  return {
    queue,
    batches,
    async finish() {
      await nextTurn()
      release()
      await nextTurn()
    },
  }
}

test('calls made together share a batch and get their own results in order', async () => {
  const { queue, batches, finish } = recorded({ batch_max: 4 })
  const first = queue.push(['aa', 'bb'], { urgent: true })
  const second = queue.push(['cc'], { urgent: true })
  await finish()
  assert.deepEqual(await first, ['AA', 'BB'])
  assert.deepEqual(await second, ['CC'])
  assert.equal(batches.length, 1)
})

test('a batch takes items of like length, and results keep their order', async () => {
  const { queue, batches, finish } = recorded({ batch_max: 2 })
  const call = queue.push(['a', 'bbbbbbbb', 'c', 'dddddddd'], { urgent: false })
  await finish()
  await finish()
  assert.deepEqual(await call, ['A', 'BBBBBBBB', 'C', 'DDDDDDDD'])
  assert.deepEqual(batches, [
    ['a', 'c'],
    ['bbbbbbbb', 'dddddddd'],
  ])
})

test('an urgent item runs before those that wait longer', async () => {
  const { queue, batches, finish } = recorded({ batch_max: 1 })
  const slow = queue.push(['document 1', 'document 2'], { urgent: false })
  await nextTurn()
  const fast = queue.push(['query'], { urgent: true })
  for (let i = 0; i < 3; i++) await finish()
  await Promise.all([slow, fast])
  assert.deepEqual(batches, [['document 1'], ['query'], ['document 2']])
})

test('an aborted call rejects at once with its reason, and what it had waiting is not run', async () => {
  const { queue, batches, finish } = recorded({ batch_max: 1 })
  const controller = new AbortController()
  const aborted = queue.push(['one', 'two'], { urgent: false, signal: controller.signal })
  const other = queue.push(['three'], { urgent: false })
  await nextTurn()
  const reason = new Error('no longer wanted')
  controller.abort(reason)
  await assert.rejects(aborted, reason)
  await finish()
  await finish()
  assert.deepEqual(await other, ['THREE'])
  assert.deepEqual(batches, [['one'], ['three']])
  await assert.rejects(queue.push(['four'], { urgent: true, signal: controller.signal }), reason)
})

test('an error fails the calls of its batch, and later ones run', async () => {
  const { queue, finish } = recorded({ batch_max: 2 })
  const failing = queue.push(['bad'], { urgent: false })
  const together = queue.push(['ok!'], { urgent: false })
  const outcome = Promise.allSettled([failing, together])
  await finish()
  assert.deepEqual(
    (await outcome).map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  const later = queue.push(['fine'], { urgent: false })
  await finish()
  assert.deepEqual(await later, ['FINE'])
})

test('a call without items is answered at once', async () => {
  const { queue } = recorded({ batch_max: 2 })
  assert.deepEqual(await queue.push([], { urgent: true }), [])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from './gate.ts'

test('as many run as the gate allows, the others in the order in which they came, also after a failure', async () => {
  const gate = new Gate(2)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const results = [0, 1, 2, 3].map((n) =>
    gate.run(async () => {
      begun.push(n)
      await new Promise<void>((resolve) => ends.push(resolve))
      if (n === 0) throw new Error('no luck')
      return n
    }),
  )
  const settled = Promise.allSettled(results)
  assert.deepEqual(begun, [0, 1])
  ends[0]!()
  await assert.rejects(results[0]!, { message: 'no luck' })
  await new Promise(setImmediate)
  assert.deepEqual(begun, [0, 1, 2])
  while (ends.length > 0) {
    ends.shift()!()
    await new Promise(setImmediate)
  }
  const values = (await settled).map((one) => (one.status === 'fulfilled' ? one.value : null))
  assert.deepEqual(values, [null, 1, 2, 3])
  assert.equal(await gate.run(async () => 'free again'), 'free again')
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Grouping } from './grouping.ts'

function recording(items_max = 100) {
  const groups: string[] = []
  const grouping = new Grouping<number, number>({
    items_max,
    async run(key, items) {
      groups.push(`${key}:${items.join(',')}`)
      await new Promise((done) => setTimeout(done, 5))
      if (items.includes(13)) throw new Error('unlucky')
      return items.map((item) => item * 2)
    },
  })
  return { grouping, groups }
}

test('what arrives together or during a run shares the next run, in order', async () => {
  const { grouping, groups } = recording()
  const first = [1, 2].map((item) => grouping.add('a', item))
  while (groups.length === 0) await new Promise((done) => setImmediate(done))
  const second = [3, 4].map((item) => grouping.add('a', item))
  assert.deepEqual(await Promise.all([...first, ...second]), [2, 4, 6, 8])
  assert.deepEqual(groups, ['a:1,2', 'a:3,4'])
})

test('keys do not mix and groups are bounded', async () => {
  const { grouping, groups } = recording(2)
  await Promise.all([1, 2, 3].map((item) => grouping.add('a', item)).concat(grouping.add('b', 9)))
  assert.deepEqual(groups.sort(), ['a:1,2', 'a:3', 'b:9'])
})

test('a failing item fails alone', async () => {
  const { grouping } = recording()
  const results = await Promise.allSettled([1, 13, 2].map((item) => grouping.add('a', item)))
  assert.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason))),
    [2, 'Error: unlucky', 4],
  )
})

test('a key that has been drained starts again', async () => {
  const { grouping, groups } = recording()
  await grouping.add('a', 1)
  await grouping.add('a', 2)
  assert.deepEqual(groups, ['a:1', 'a:2'])
})

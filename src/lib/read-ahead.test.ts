import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type FromSource, readAhead } from './read-ahead.ts'

async function collect<T>(values: AsyncIterable<FromSource<T>>): Promise<FromSource<T>[]> {
  const collected: FromSource<T>[] = []
  for await (const value of values) collected.push(value)
  return collected
}

async function* numbers(...values: number[]) {
  for (const value of values) {
    await setTimeout(1)
    yield value
  }
}

test('values come source after source, an error ends only its source', async () => {
  const failure = new Error('broken')
  async function* failing() {
    yield 7
    throw failure
  }
  assert.deepEqual(await collect(readAhead([numbers(1, 2), failing(), numbers(), numbers(3)], 2)), [
    { source: 0, value: 1 },
    { source: 0, value: 2 },
    { source: 1, value: 7 },
    { source: 1, error: failure },
    { source: 3, value: 3 },
  ])
  assert.deepEqual(await collect(readAhead([], 2)), [])
})

test('sources are started ahead of their turn, but not further than asked', async () => {
  const started: number[] = []
  const source = (index: number) =>
    (async function* () {
      started.push(index)
      yield index
    })()
  const reader = readAhead([source(0), source(1), source(2), source(3)], 1)
  await reader.next()
  assert.deepEqual(started, [0, 1])
  await reader.next()
  assert.deepEqual(started, [0, 1, 2])
  await reader.return(undefined)
})

test('a reader that stops early closes what was started', async () => {
  const closed: number[] = []
  const source = (index: number) =>
    (async function* () {
      try {
        yield index
        yield index
      } finally {
        closed.push(index)
      }
    })()
  for await (const { source: index } of readAhead([source(0), source(1), source(2)], 1)) {
    assert.equal(index, 0)
    break
  }
  assert.deepEqual(closed, [0, 1])
})

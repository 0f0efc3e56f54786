import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { partOfDate, truncateDate } from './dates.ts'
import { rangeLabel } from './ranges.ts'

describe('dates of aggregations', () => {
  test('a date is cut to the start of its unit, in UTC', () => {
    const cut = (unit: Parameters<typeof truncateDate>[1]) =>
      truncateDate('2026-03-01T01:20:30.5+02:00', unit)
    assert.equal(cut('year'), '2026-01-01T00:00:00.000000Z')
    assert.equal(cut('month'), '2026-02-01T00:00:00.000000Z')
    assert.equal(cut('day'), '2026-02-28T00:00:00.000000Z')
    assert.equal(cut('hour'), '2026-02-28T23:00:00.000000Z')
    assert.equal(cut('minute'), '2026-02-28T23:20:00.000000Z')
    assert.equal(cut('second'), '2026-02-28T23:20:30.000000Z')
  })

  test('weeks start on Monday and belong to the year of their Thursday', () => {
    assert.equal(truncateDate('2026-03-01', 'week'), '2026-02-23T00:00:00.000000Z')
    assert.equal(truncateDate('2026-02-23', 'week'), '2026-02-23T00:00:00.000000Z')
    const weeks = {
      '2021-01-03': 53,
      '2021-01-04': 1,
      '2020-12-31': 53,
      '2024-12-30': 1,
      '2026-12-31': 53,
      '0099-06-15': 25,
    }
    for (const [day, week] of Object.entries(weeks)) assert.equal(partOfDate(day, 'week'), week, day)
  })

  test('parts: Sunday is day 1, days of the year count from 1, leap days included', () => {
    assert.equal(partOfDate('2026-03-01', 'dayOfWeek'), 1)
    assert.equal(partOfDate('2026-03-07', 'dayOfWeek'), 7)
    assert.equal(partOfDate('2024-12-31', 'dayOfYear'), 366)
    assert.equal(partOfDate('2025-12-31', 'dayOfYear'), 365)
    const parts = (['year', 'month', 'day', 'hour', 'minute', 'second'] as const).map((unit) =>
      partOfDate('2026-03-07T08:09:10.999999Z', unit),
    )
    assert.deepEqual(parts, [2026, 3, 7, 8, 9, 10])
  })

  test('what names no instant has no date', () => {
    for (const value of ['soon', '2026-02-30', 1_700_000_000, null, true, ['2026-01-01'], '2026-01-01 '])
      assert.deepEqual([truncateDate(value, 'day'), partOfDate(value, 'day')], [null, null])
  })
})

describe('ranges of aggregations', () => {
  test('a bound belongs to the range below it, the lowest to the first range', () => {
    const label = rangeLabel({ field: 'x', boundaries: [0, 60, 300] })
    const labels = [-1, 0, 0.5, 60, 60.1, 300, 300.1, Number.NaN].map(label)
    assert.deepEqual(labels, ['other', '0-60', '0-60', '0-60', '60-300', '60-300', 'other', 'other'])
  })

  test('what is no number is in the rest, which may have a name', () => {
    const label = rangeLabel({ field: 'x', boundaries: [0, 10], default_bucket: 'unknown' })
    for (const value of [null, '5', [5], true, 11]) assert.equal(label(value), 'unknown')
    assert.equal(rangeLabel({ field: 'x', boundaries: [5] })(5), 'other')
  })
})

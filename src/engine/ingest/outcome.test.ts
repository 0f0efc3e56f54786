import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOutcome, collectionOutcome, tierOutcome } from './outcome.ts'

const counts = (documents_written: number, rows_failed: number, status = 'IN_PROGRESS') => ({
  status,
  documents_written,
  rows_failed,
})

test('without a failed row a collection is completed, even with nothing to do', () => {
  assert.equal(collectionOutcome(counts(0, 0)), 'COMPLETED')
  assert.equal(collectionOutcome(counts(9, 0)), 'COMPLETED')
})

test('failures beside written documents are errors, failures alone are a failure', () => {
  assert.equal(collectionOutcome(counts(5, 1)), 'COMPLETED_WITH_ERRORS')
  assert.equal(collectionOutcome(counts(0, 1)), 'FAILED')
})

test('a tier in which one collection failed entirely goes on with what the others wrote', () => {
  assert.equal(tierOutcome([counts(0, 3), counts(3, 0)]), 'COMPLETED_WITH_ERRORS')
  assert.equal(tierOutcome([counts(0, 3), counts(0, 0)]), 'FAILED')
})

test('skipped collections do not count, and a tier of nothing else is skipped', () => {
  assert.equal(tierOutcome([counts(0, 0, 'SKIPPED'), counts(2, 0)]), 'COMPLETED')
  assert.equal(tierOutcome([counts(0, 0, 'SKIPPED')]), 'SKIPPED')
})

test('a batch is as bad as its worst tier', () => {
  assert.equal(batchOutcome(['COMPLETED', 'COMPLETED']), 'COMPLETED')
  assert.equal(batchOutcome(['COMPLETED', 'SKIPPED']), 'COMPLETED')
  assert.equal(batchOutcome(['COMPLETED_WITH_ERRORS', 'COMPLETED']), 'COMPLETED_WITH_ERRORS')
  assert.equal(batchOutcome(['COMPLETED', 'FAILED', 'SKIPPED']), 'FAILED')
})

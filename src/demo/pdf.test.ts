import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openPdf } from '../platform/media/pdf.ts'
import { writePdf } from './pdf.ts'

test('a written PDF reads back page by page, brackets and backslashes included', async () => {
  const pdf = await openPdf(writePdf([['First (page)', 'a \\ b'], ['Second']]))
  try {
    assert.equal(pdf.page_count, 2)
    assert.match(pdf.text(0), /First \(page\)\s+a \\ b/)
    assert.match(pdf.text(1), /Second/)
  } finally {
    pdf.close()
  }
})

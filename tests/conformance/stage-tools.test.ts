import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStageTools } from '../../src/engine/retrieve/tools.ts'
import { makeTenant } from '../support/tenant.ts'
import { DIALECTS, testApp } from '../support/test-app.ts'

for (const dialect of DIALECTS) {
  test(`the tools of a run tell nothing of documents of another namespace, whatever number is asked for (${dialect})`, async (t) => {
    const app = await testApp(dialect, { KURA_TEXT_MODEL: 'hash' })
    t.after(app.close)
    const { deps } = app
    const mine = await makeTenant(app, { name: 'mine', mark: 'zebra' })
    const theirs = await makeTenant(app, { name: 'theirs', mark: 'okapi' })
    const rows = await deps.db.selectFrom('documents').select(['document_seq', 'document_id']).execute()
    const seqs = rows.map(({ document_seq }) => document_seq)
    const seqOf = (id: string) => rows.find(({ document_id }) => document_id === id)!.document_seq
    const tools = createStageTools({
      deps: { ...deps, readContent: () => assert.fail('nothing is read') },
      scope: { organizationId: deps.bootstrap.organizationId, namespaceId: mine.namespace_id },
      collections: [],
      signal: new AbortController().signal,
    })
    assert.ok(seqs.includes(seqOf(theirs.document_id)))
    assert.deepEqual([...(await tools.ids(seqs))], [[seqOf(mine.document_id), mine.document_id]])
    assert.deepEqual([...(await tools.fields(seqs)).keys()], [seqOf(mine.document_id)])
  })
}

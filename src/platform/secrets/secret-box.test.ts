import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SecretBox } from './secret-box.ts'

const box = new SecretBox('a master key of the test')

test('a sealed text opens with the same key and context, and never looks the same twice', () => {
  const sealed = box.seal('pässword', 'connections/org/conn_1')
  assert.equal(box.open(sealed, 'connections/org/conn_1'), 'pässword')
  assert.notEqual(sealed, box.seal('pässword', 'connections/org/conn_1'))
  assert.ok(!sealed.includes('pässword'))
})

test('another key, another row, a changed byte or a cut text do not open', () => {
  const sealed = box.seal('secret', 'a')
  const changed = `${sealed.slice(0, -2)}${sealed.endsWith('AA') ? 'BB' : 'AA'}`
  assert.throws(() => new SecretBox('another key of the test').open(sealed, 'a'), {
    code: 'secret_unreadable',
  })
  assert.throws(() => box.open(sealed, 'b'), { code: 'secret_unreadable' })
  assert.throws(() => box.open(changed, 'a'), { code: 'secret_unreadable' })
  assert.throws(() => box.open(sealed.slice(0, 20), 'a'), { code: 'secret_unreadable' })
})

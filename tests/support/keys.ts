import assert from 'node:assert/strict'
import type { TestApp } from './test-app.ts'

/** A key as an administrator makes it; `settings` are members of the request. */
export async function makeKey(
  kura: Pick<TestApp, 'request'>,
  settings: Record<string, unknown> = {},
  user = 'admin@localhost',
): Promise<{ key: string; key_id: string; name: string }> {
  made += 1
  const answer = await kura.request('POST', `/v1/organizations/users/${user}/api-keys`, {
    body: { name: `key ${made}`, ...settings },
  })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}

let made = 0

/** A user of the organization of the root key. */
export async function makeUser(
  kura: Pick<TestApp, 'request'>,
  email: string,
  settings: Record<string, unknown> = {},
): Promise<{ user_id: string; email: string }> {
  const answer = await kura.request('POST', '/v1/organizations/users', {
    body: { email, user_name: 'A user', ...settings },
  })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}

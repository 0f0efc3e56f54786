import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { serve } from '../acceptance/kura.ts'

/** Folder that holds the generated package `mixpeek`; it is not part of this project. */
const CLIENT = process.env.KURA_TEST_PYTHON_CLIENT ?? ''
/** A Python that has what the client needs: urllib3, python-dateutil, pydantic, typing-extensions. */
const PYTHON = process.env.KURA_TEST_PYTHON ?? 'python3'
const TIMEOUT_MS = 300_000
const absent =
  !existsSync(join(CLIENT, 'mixpeek')) &&
  'set KURA_TEST_PYTHON_CLIENT to the folder of the generated Python client (package "mixpeek")'

type Step = { step: string; ok: boolean; error?: string; trace?: string }

test('the generated Python client parses every answer of a whole session', { skip: absent }, async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'kura-python-'))
  const server = await serve(home)
  try {
    const { steps, stderr } = await runClient(server)
    for (const { step, ok, error, trace } of steps)
      await t.test(step, () => assert.ok(ok, `${error}\n${trace}`))
    assert.equal(stderr, '', 'the client ran to its end')
  } finally {
    await server.stop()
    await rm(home, { recursive: true, force: true })
  }
})

function runClient({ url, key }: { url: string; key: string }): Promise<{ steps: Step[]; stderr: string }> {
  const script = join(import.meta.dirname, 'python_client.py')
  return new Promise((resolve) => {
    execFile(
      PYTHON,
      [script, CLIENT, url, key],
      { timeout: TIMEOUT_MS, maxBuffer: 1e8 },
      (error, stdout, stderr) => {
        const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
        const steps = lines.map((line) => JSON.parse(line) as Step)
        resolve({ steps, stderr: error ? stderr || error.message : '' })
      },
    )
  })
}

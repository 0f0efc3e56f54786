import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Server, serve, temporaryFolder } from './kura.ts'

const README = join(import.meta.dirname, '..', '..', 'README.md')

describe('the README', { timeout: 120_000 }, () => {
  let folder: { path: string; remove(): Promise<void> }
  let server: Server

  before(async () => {
    folder = await temporaryFolder()
    server = await serve(join(folder.path, '.kura'))
  })
  after(async () => {
    await server.stop()
    await folder.remove()
  })

  test('its walk through the API works when pasted, and finds by meaning', async () => {
    const readme = await readFile(README, 'utf8')
    const block = /<!-- walk-through[^>]*-->\n```bash\n([\s\S]*?)```/.exec(readme)?.[1]
    assert.ok(block, 'the block is there')
    // Pasted into the folder where the server was started: the key comes from the file, as for a reader.
    const { code, stdout, stderr } = await bash(`set -e\n${block}`, { KURA_URL: server.url }, folder.path)
    assert.equal(code, 0, stderr + stdout)
    const answer = JSON.parse(stdout.trim().split('\n').at(-1)!) as { results: { title: string }[] }
    assert.equal(answer.results[0]?.title, 'Tides')
  })
})

function bash(
  script: string,
  env: Record<string, string>,
  cwd: string,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { KURA_API_KEY: _, ...rest } = process.env
  const child = spawn('bash', ['-c', script], { cwd, env: { ...rest, ...env }, timeout: 60_000 })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
}

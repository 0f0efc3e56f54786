// Runs a Kura script on the Node that Kura is pinned to, installing the dependencies first where
// they are missing or out of date. This file itself runs on any Node from 18 on.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const windows = process.platform === 'win32'
const node = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node')
const stamp = join(root, 'node_modules', '.kura-installed')

ensureInstalled()
run(process.argv.slice(2))

function ensureInstalled() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  if (existsSync(node) && installedByHand()) return writeFileSync(stamp, wanted)
  console.error('Installing dependencies (once, about half a minute) …')
  // The runtime library of the models comes inside its package; its install step would fetch an extra GPU build.
  const environment = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' }
  const { status, error } = spawnSync(
    windows ? 'npm.cmd' : 'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: root,
      env: environment,
      stdio: ['ignore', 2, 2],
      shell: windows,
    },
  )
  if (error || status !== 0)
    fail(`npm ci failed${error ? `: ${error.message}` : ''}. See the messages above.`)
  if (!existsSync(node)) ensureNode(environment)
  writeFileSync(stamp, wanted)
}

/** Whether `npm ci` or `npm install` ran after the lock file last changed: then there is nothing to do. */
function installedByHand() {
  const record = join(root, 'node_modules', '.package-lock.json')
  return existsSync(record) && statSync(record).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
}

/** Some npm settings skip install scripts, which is how the pinned Node arrives: run that one step by hand. */
function ensureNode(environment) {
  const folder = join(root, 'node_modules', 'node')
  spawnSync(process.execPath, ['installArchSpecificPackage.js'], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 2, 2],
  })
  if (!existsSync(node)) fail('The pinned Node could not be installed (npm package "node").')
}

function run([first, ...rest]) {
  const watch = first === '--watch'
  const [script, ...args] = watch ? rest : [first, ...rest]
  const flags = ['--disable-warning=ExperimentalWarning', ...(watch ? ['--watch'] : [])]
  const child = spawn(node, [...flags, join(root, script), ...args], { stdio: 'inherit' })
  // A terminal sends Ctrl-C to both; the child decides when it has stopped cleanly.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`Cannot start ${node}: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
}

function fail(message) {
  console.error(message)
  process.exit(1)
}

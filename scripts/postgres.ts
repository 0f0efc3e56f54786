// A throw-away PostgreSQL for the tests, from the binaries that this machine has.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VARIABLE = 'KURA_TEST_POSTGRES_URL'

/**
 * Runs `work` with KURA_TEST_POSTGRES_URL set: as given, or to a server started for it. Without any
 * PostgreSQL the tests run on SQLite alone and say so.
 */
export async function withPostgres<T>(work: () => Promise<T>): Promise<T> {
  if (process.env[VARIABLE]) return work()
  const binaries = findBinaries()
  if (!binaries) {
    console.log(
      `No PostgreSQL found (initdb, pg_ctl): tests run on SQLite only. Install it or set ${VARIABLE}.`,
    )
    return work()
  }
  const server = await start(binaries)
  process.env[VARIABLE] = server.url
  try {
    return await work()
  } finally {
    server.stop()
  }
}

function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const candidates = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ]
  return candidates.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'pg_ctl')))
}

async function start(binaries: string): Promise<{ url: string; stop: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), 'kura-postgres-'))
  const port = await freePort()
  // PostgreSQL refuses to run as root: there its own user, made by its package, runs it.
  const as = process.getuid?.() === 0 ? 'postgres' : null
  if (as) command(null, 'chown', [as, folder])
  const data = join(folder, 'data')
  command(as, join(binaries, 'initdb'), [
    '-D',
    data,
    '-U',
    'kura',
    '-A',
    'trust',
    '-E',
    'UTF8',
    '--locale=C',
    '--no-sync',
  ])
  const options = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200`
  command(as, join(binaries, 'pg_ctl'), ['-D', data, '-l', join(folder, 'log'), '-o', options, '-w', 'start'])
  const stop = () => {
    command(as, join(binaries, 'pg_ctl'), ['-D', data, '-m', 'immediate', 'stop'])
    rmSync(folder, { recursive: true, force: true })
  }
  return { url: `postgres://kura@127.0.0.1:${port}/postgres`, stop }
}

function command(as: string | null, program: string, args: string[]): void {
  const [name, all] = as ? ['runuser', ['-u', as, '--', program, ...args]] : [program, args]
  const { status, stderr, error } = spawnSync(name, all, {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: tmpdir(),
  })
  if (status !== 0) throw new Error(`${name} ${all.join(' ')} failed: ${error?.message ?? stderr.toString()}`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}

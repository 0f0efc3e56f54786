import { connect } from 'node:net'
import { findProgram, freePort, startServer } from './server-process.ts'

const PROGRAM = findProgram('rclone', 'KURA_TEST_RCLONE')

/** The value of `skip` for tests that need rclone: false where there is one, else the reason. */
export const RCLONE_MISSING: string | false = PROGRAM
  ? false
  : 'needs rclone: put it on PATH or name it in KURA_TEST_RCLONE'

export type RcloneServer = { port: number; user: string; password: string; stop(): Promise<void> }

/** Serves a folder by one of rclone's real servers, with a user and a password. */
export async function startRclone(
  protocol: 'http' | 'webdav' | 'sftp',
  folder: string,
  args: readonly string[] = [],
): Promise<RcloneServer> {
  if (!PROGRAM) throw new Error(`This test ${RCLONE_MISSING}`)
  const port = await freePort()
  const [user, password] = ['kura', 'pass word/1']
  const command = ['serve', protocol, folder, '--addr', `127.0.0.1:${port}`, '--dir-cache-time', '0s']
  const server = await startServer(PROGRAM, [...command, '--user', user, '--pass', password, ...args], {
    env: { RCLONE_CONFIG: '/dev/null' },
    isReady: () => accepts(port),
  })
  return { port, user, password, stop: () => server.stop() }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

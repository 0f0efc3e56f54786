import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type Client from 'ssh2-sftp-client'
import { KuraError } from '../../core/errors.ts'
import type { OutboundGuard } from '../net/outbound-guard.ts'
import { connectionFailed } from './source-http.ts'

const CONNECT_TIMEOUT_MS = 10_000
/** For the handshake and the log-in. */
const READY_TIMEOUT_MS = 20_000
/** A server that does not answer one question for this long is given up. */
const ANSWER_TIMEOUT_MS = 30_000
const END_TIMEOUT_MS = 1000
const KEEPALIVE_INTERVAL_MS = 15_000

/** A checked `provider_config` of an SFTP connection. */
export type SftpSettings = {
  host: string
  port: number
  credentials: { username: string; password?: string; private_key?: string; passphrase?: string | null }
  host_key_sha256?: string | null
}

export type Sftp = Awaited<ReturnType<Client['connect']>>

type Answer<T> = (error: Error | undefined | null, value: T) => void

/** SSH connections to one server, of which one at a time is in use. */
export class SftpChannel {
  readonly #settings: SftpSettings
  readonly #guard: OutboundGuard
  #session: Promise<SftpSession> | undefined

  constructor(settings: SftpSettings, guard: OutboundGuard) {
    this.#settings = settings
    this.#guard = guard
  }

  /** The session of now, or a new one when there is none or it broke. Throws `connection_failed`, `url_not_allowed`. */
  async session(signal: AbortSignal): Promise<SftpSession> {
    signal.throwIfAborted()
    const known = this.#session
    const current = await known?.catch(() => undefined)
    if (current && !current.broken) return current
    // Whoever came first opens the new one; the others share it.
    if (this.#session === known) this.#session = connect(this.#settings, this.#guard)
    return this.#session!
  }

  async close(): Promise<void> {
    await (await this.#session?.catch(() => undefined))?.end()
  }
}

async function connect(settings: SftpSettings, guard: OutboundGuard): Promise<SftpSession> {
  const { host, port, credentials, host_key_sha256 } = settings
  let socket: Socket | undefined
  try {
    socket = await guard.connect(host, port, { timeout_ms: CONNECT_TIMEOUT_MS })
    // Questions are small, and each waits for its answer: held back, a folder would take seconds.
    socket.setNoDelay(true)
    // Loaded with the first SFTP connection, as most servers never have one.
    const { default: SftpClient } = await import('ssh2-sftp-client')
    const nothing = () => undefined
    const client = new SftpClient('kura', { error: nothing, end: nothing, close: nothing })
    const sftp = await client.connect({
      sock: socket,
      username: credentials.username,
      ...(credentials.private_key === undefined
        ? { password: credentials.password ?? '' }
        : { privateKey: credentials.private_key, passphrase: credentials.passphrase ?? '' }),
      readyTimeout: READY_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_INTERVAL_MS,
      hostVerifier: (key: Buffer) => !host_key_sha256 || isPinned(key, host_key_sha256),
    })
    return new SftpSession(client, sftp, socket)
  } catch (error) {
    socket?.destroy()
    throw sftpError(error)
  }
}

/** One SSH connection. Handles belong to the session that gave them: another one would take them for its own. */
export class SftpSession {
  readonly #client: Client
  readonly #sftp: Sftp
  readonly #socket: Socket
  broken = false

  constructor(client: Client, sftp: Sftp, socket: Socket) {
    this.#client = client
    this.#sftp = sftp
    this.#socket = socket
    socket.once('close', () => {
      this.broken = true
    })
  }

  /** Asks one question, and throws what the port says for a wrong answer or none. */
  async ask<T>(signal: AbortSignal, question: (sftp: Sftp, answer: Answer<T>) => void): Promise<T> {
    signal.throwIfAborted()
    if (this.broken) throw connectionFailed('the server closed the connection')
    try {
      return await answered(signal, (answer) => question(this.#sftp, answer))
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (isFinal(error)) await this.end()
      throw sftpError(error)
    }
  }

  /** Closes a handle; a connection that broke has closed it by itself. */
  async leave(handle: Buffer): Promise<void> {
    if (this.broken) return
    const closed = this.ask<undefined>(NEVER, (sftp, answer) =>
      sftp.close(handle, (error) => answer(error, undefined)),
    )
    await closed.catch(() => undefined)
  }

  async end(): Promise<void> {
    if (this.broken) return
    this.broken = true
    // The farewell is a courtesy: a server that does not answer it is left all the same.
    await Promise.race([this.#client.end().catch(() => false), sleep(END_TIMEOUT_MS, false, { ref: false })])
    this.#socket.destroy()
  }
}

const NEVER = new AbortController().signal

/** The answer to a question; throws a TimeoutError when none comes, and at once when the signal aborts. */
function answered<T>(signal: AbortSignal, question: (answer: Answer<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])
    const stop = () => reject(deadline.reason)
    deadline.addEventListener('abort', stop, { once: true })
    question((error, value) => {
      deadline.removeEventListener('abort', stop)
      if (error) reject(error)
      else resolve(value)
    })
  })
}

/** Of the form that `ssh-keygen -lf` prints, with or without `SHA256:` and padding. */
function isPinned(key: Buffer, pinned: string): boolean {
  const given = Buffer.from(pinned.replace(/^SHA256:/, ''), 'base64')
  const found = createHash('sha256').update(key).digest()
  return given.length === found.length && timingSafeEqual(given, found)
}

/** Status codes of the protocol (draft-ietf-secsh-filexfer-02, section 7). */
const EOF = 1
const NO_SUCH_FILE = 2
const PERMISSION_DENIED = 3
const FAILURE = 4

const codeOf = (error: unknown) => (error as { code?: unknown }).code

export const isEnd = (error: unknown) => codeOf(error) === EOF

/** Anything but an answer of the server about one file leaves the connection in doubt. */
const isFinal = (error: unknown) =>
  ![EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE].includes(Number(codeOf(error)))

const NETWORK: Record<string, string> = {
  ENOTFOUND: 'the host name does not exist',
  EAI_AGAIN: 'the host name could not be looked up',
  ECONNREFUSED: 'the server refused the connection',
  ECONNRESET: 'the server closed the connection',
}

function sftpError(error: unknown): unknown {
  if (error instanceof KuraError || isEnd(error)) return error
  const { name, message } = error as Error
  const code = codeOf(error)
  if (code === NO_SUCH_FILE) return new KuraError('source_item_gone', {}, { cause: error })
  if (code === PERMISSION_DENIED)
    return new KuraError('source_item_unreadable', { reason: 'permission denied' }, { cause: error })
  if (code === FAILURE)
    return new KuraError(
      'source_item_unreadable',
      { reason: 'the server reports a failure' },
      { cause: error },
    )
  return connectionFailed(reasonOf(name, message, String(code)), error)
}

/** The library tells by its messages alone what went wrong before the log-in. */
function reasonOf(name: string, message: string, code: string): string {
  if (name === 'TimeoutError' || /timed out|in time/i.test(message))
    return 'the server did not answer in time'
  if (/verification failed|Host denied/i.test(message))
    return 'the host key of the server is not the one of host_key_sha256'
  if (/authentication/i.test(message)) return 'the server refuses the credentials'
  if (/privateKey|private key|passphrase|decrypt/i.test(message))
    return 'the private key cannot be read; it is needed in OpenSSH or PEM form, with its passphrase if it has one'
  return NETWORK[code] ?? 'the connection broke, or the server speaks no SFTP'
}

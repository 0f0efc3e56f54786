import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** What went wrong with a call, in words for the person at the terminal. */
export class ApiError extends Error {
  readonly status: number
  readonly body: unknown

  constructor(status: number, message: string, body: unknown) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.body = body
  }
}

export type ClientOptions = { url: string; key: string; namespace?: string | undefined }

/** The API over HTTP, as any client uses it. */
export class Client {
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  get url(): string {
    return this.#options.url
  }

  get namespace(): string | undefined {
    return this.#options.namespace
  }

  /** What every request carries. */
  get headers(): Record<string, string> {
    const { key, namespace } = this.#options
    return { authorization: `Bearer ${key}`, ...(namespace && { 'x-namespace': namespace }) }
  }

  /** The JSON answer of one operation; throws ApiError for every status from 400 on. */
  async call<T>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<T> {
    const { url } = this.#options
    const response = await fetch(url + path, {
      method,
      headers: {
        ...this.headers,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
    }).catch((cause: Error) => {
      throw new ApiError(
        0,
        `No Kura server answers at ${url}. Start one with "kura serve". (${reasonOf(cause)})`,
        null,
      )
    })
    const text = await response.text()
    if (!response.ok) throw refusedBy(response.status, text)
    return (text === '' ? null : JSON.parse(text)) as T
  }

  /** As `call`, but undefined where the resource does not exist. */
  async find<T>(path: string): Promise<T | undefined> {
    try {
      return await this.call<T>('GET', path)
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined
      throw error
    }
  }
}

export type ConnectionFlags = { url?: string; key?: string; namespace?: string }

/** Server, key and namespace from flags, then environment, then the key file of the local home. */
export async function connect(flags: ConnectionFlags): Promise<Client> {
  const environment = process.env
  const url = flags.url ?? environment.KURA_URL ?? `http://127.0.0.1:${environment.KURA_PORT ?? 8787}`
  const key = flags.key ?? environment.KURA_API_KEY ?? environment.KURA_ROOT_KEY ?? (await keyFile())
  if (!key)
    throw new ApiError(
      0,
      'No API key: set KURA_API_KEY, or run in the folder whose .kura the server uses.',
      null,
    )
  return new Client({
    url: url.replace(/\/+$/, ''),
    key,
    namespace: flags.namespace ?? environment.KURA_NAMESPACE,
  })
}

async function keyFile(): Promise<string | undefined> {
  const path = join(resolve(process.env.KURA_HOME ?? './.kura'), 'root-key')
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The error that an answer of the server tells of. */
export function refusedBy(status: number, text: string): ApiError {
  let body: unknown = null
  try {
    body = text === '' ? null : JSON.parse(text)
  } catch {
    // What stands in front of the server (a proxy, another program) answers in its own words.
    return new ApiError(status, `The server answered ${status}: ${text.slice(0, 200)}`, null)
  }
  return new ApiError(status, messageOf(body, status), body)
}

function messageOf(body: unknown, status: number): string {
  const { error, detail } = (body ?? {}) as {
    error?: { message?: string }
    detail?: { loc: unknown[]; msg: string }[]
  }
  const violations = Array.isArray(detail)
    ? detail.map(({ loc, msg }) => `${loc.slice(1).join('.')}: ${msg}`)
    : []
  return [error?.message ?? `The server answered ${status}.`, ...violations].join('\n  ')
}

/** The network fault itself, which fetch hides in the cause. */
function reasonOf(error: Error): string {
  const cause = error.cause as { code?: string; message?: string } | undefined
  return cause?.code ?? cause?.message ?? error.message
}

import { KuraError } from '../../core/errors.ts'
import type { Scope } from '../../core/scope.ts'
import type { Files, StagedFile } from '../../platform/files/files.ts'
import { mimeOfFilename, normalizeMime, sniffMime } from '../../platform/media/mime.ts'
import type { HttpClient, OutboundResponse } from '../../platform/net/http-client.ts'
import { safeFilename } from './blob-source.ts'

const COPY_TIMEOUT_MS = 10 * 60_000
const CHECK_TIMEOUT_MS = 30_000

/** A URL that was looked at: its bytes as a staged file, or what its server says about it. */
export type FetchedUrl = {
  staged: StagedFile | null
  filename: string | null
  mime_type: string | null
  size_bytes: number | null
}

export type FetchOptions = { storage_class: string | null; signal?: AbortSignal }

/** What stands behind an `s3://` or `gs://` address. */
export type OpenedAddress = {
  /** MUST be read, to its end or left early, or be given up with `discard`. */
  body: AsyncIterable<Uint8Array>
  mime_type: string | null
  size_bytes: number | null
  discard(): void
}

/**
 * Opens an address with the credentials of a connection that covers it; null when none does. More than
 * `limit_bytes` and everything else that is wrong with it throws, as for URLs.
 */
export type OpenAddress = (
  scope: Scope,
  address: string,
  options: { limit_bytes: number; signal?: AbortSignal },
) => Promise<OpenedAddress | null>

type UrlFetcherOptions = { http: HttpClient; files: Files; openAddress: OpenAddress; limit_bytes: number }

/** Source URLs of blobs. Whatever is wrong with one is a 400 of type URLValidationError. */
export class UrlFetcher {
  readonly #http: HttpClient
  readonly #files: Files
  readonly #openAddress: OpenAddress
  readonly #limit_bytes: number

  constructor({ http, files, openAddress, limit_bytes }: UrlFetcherOptions) {
    this.#http = http
    this.#files = files
    this.#openAddress = openAddress
    this.#limit_bytes = limit_bytes
  }

  /** Streams the bytes into our store. */
  async copy(scope: Scope, url: string, { storage_class, signal }: FetchOptions): Promise<FetchedUrl> {
    const { body, filename, mime_type: declared } = await this.#open(scope, url, signal)
    const staged = await this.#files.stage(scope, body, {
      mime_type: declared ?? 'application/octet-stream',
      filename,
      limit_bytes: this.#limit_bytes,
      storage_class,
      signal,
    })
    try {
      staged.mime_type = await sniffMime(staged.head, declared, filename)
    } catch (error) {
      await this.#files.discard([staged])
      throw error
    }
    return { staged, filename, mime_type: staged.mime_type, size_bytes: staged.size_bytes }
  }

  /** Asks only whether the file is there and what it is; the bytes are fetched when they are processed. */
  async check(scope: Scope, url: string, { signal }: FetchOptions): Promise<FetchedUrl> {
    if (isStoreAddress(url)) {
      const { discard, filename, mime_type, size_bytes } = await this.#openStored(scope, url, signal)
      discard()
      return { staged: null, filename, mime_type, size_bytes }
    }
    const options = { limit_bytes: this.#limit_bytes, timeout_ms: CHECK_TIMEOUT_MS, signal }
    let response = await this.#http.request(url, { ...options, method: 'HEAD' })
    // Signed URLs and small servers know only GET; its body is not read.
    if ([400, 403, 405, 501].includes(response.status)) response = await this.#http.request(url, options)
    requireSuccess(response)
    response.discard()
    const size = Number(response.headers['content-length'] ?? Number.NaN)
    return { ...describe(response), size_bytes: Number.isSafeInteger(size) ? size : null, staged: null }
  }

  async #open(scope: Scope, url: string, signal: AbortSignal | undefined): Promise<Opened> {
    if (isStoreAddress(url)) return this.#openStored(scope, url, signal)
    const options = { limit_bytes: this.#limit_bytes, timeout_ms: COPY_TIMEOUT_MS, signal }
    const response = await this.#http.request(url, options)
    requireSuccess(response)
    return { body: response.body, ...describe(response) }
  }

  async #openStored(
    scope: Scope,
    address: string,
    given: AbortSignal | undefined,
  ): Promise<Opened & OpenedAddress> {
    const deadline = AbortSignal.timeout(COPY_TIMEOUT_MS)
    const signal = given ? AbortSignal.any([given, deadline]) : deadline
    try {
      const opened = await this.#openAddress(scope, address, { limit_bytes: this.#limit_bytes, signal })
      if (!opened) throw unusable('no connection of this server covers it.')
      const filename = safeFilename(address)
      const mime_type = toldType(opened.mime_type, filename)
      return { ...opened, body: told(opened.body, deadline), filename, mime_type }
    } catch (error) {
      throw storeFault(error, deadline)
    }
  }
}

/** A body whose faults are told as those of URLs. */
async function* told(body: AsyncIterable<Uint8Array>, deadline: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw storeFault(error, deadline)
  }
}

/** Whatever is wrong with an address is a URLValidationError; faults of this server stay what they are. */
function storeFault(error: unknown, deadline: AbortSignal): unknown {
  if (deadline.aborted && error === deadline.reason)
    return unusable(`it took longer than ${COPY_TIMEOUT_MS / 1000} seconds.`)
  if (!(error instanceof KuraError) || error.row.status >= 500 || error.row.type === 'URLValidationError')
    return error
  return unusable(error.message, error)
}

const unusable = (reason: string, cause?: unknown) => new KuraError('url_not_usable', { reason }, { cause })

type Opened = { body: AsyncIterable<Uint8Array>; filename: string | null; mime_type: string | null }

const isStoreAddress = (url: string) => /^(?:s3|gs):\/\//i.test(url)

function requireSuccess(response: OutboundResponse): void {
  if (response.status >= 200 && response.status < 300) return
  response.discard()
  throw new KuraError('url_not_usable', { reason: `its server answered with status ${response.status}.` })
}

function describe({ headers, url }: OutboundResponse): { filename: string | null; mime_type: string | null } {
  const filename = dispositionName(headers['content-disposition']) ?? pathName(url)
  return { filename, mime_type: toldType(headers['content-type'], filename) }
}

/** "Some bytes" says nothing; the extension may. */
function toldType(told: string | null | undefined, filename: string | null): string | null {
  const declared = normalizeMime(told)
  return declared === null || declared === 'application/octet-stream' ? mimeOfFilename(filename) : declared
}

function pathName(url: string): string | null {
  const segment = new URL(url).pathname.split('/').at(-1)!
  return safeFilename(decode(segment) ?? segment)
}

/** RFC 6266: `filename*` wins over `filename`. */
function dispositionName(header: string | undefined): string | null {
  const extended = /filename\*\s*=\s*utf-8''([^;\s]+)/i.exec(header ?? '')?.[1]
  const plain = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(header ?? '')
  const name = (extended && decode(extended)) ?? plain?.[1]?.replace(/\\(.)/g, '$1') ?? plain?.[2]
  return name ? safeFilename(name) : null
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}

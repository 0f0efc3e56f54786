import type { BlobEntry } from '../../core/blob-entry.ts'
import { type BucketSchema, FILE_TYPES, type FieldType } from '../../core/bucket-schema.ts'
import { KuraError, type Violation } from '../../core/errors.ts'
import { fileAddress } from '../../core/file-address.ts'
import { newId, sha256 } from '../../core/ids.ts'
import { canonicalJson, isObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { checkValue, schemaValidationFailed } from '../../core/object-schema.ts'
import type { Scope } from '../../core/scope.ts'
import type { Files, StagedFile } from '../../platform/files/files.ts'
import { fitsBlobType, SNIFF_BYTES, sniffMime } from '../../platform/media/mime.ts'
import { type BlobSource, readSource } from './blob-source.ts'
import type { FetchedUrl, UrlFetcher } from './fetch-url.ts'
import type { BlobRequest } from './request.ts'

/** A text up to this size is also kept in `properties.text`, where filters and extractors read it. */
const TEXT_PROPERTY_BYTES_MAX = 1024 * 1024

/** A blob ready to be written with its object. */
export type PreparedBlob =
  | { kind: 'entry'; entry: BlobEntry; staged: StagedFile | null; force_remirror: boolean }
  /** A blob of the object that stays. */
  | { kind: 'kept'; property: string; blob_id: string }

/** What stands behind a blob, before its property and type are settled. */
type Content = {
  mime_type: string | null
  properties: JsonObject
  details: BlobEntry['details']
  staged: StagedFile | null
  file_id: string | null
  source_url: string | null
  /** Inline JSON has no file behind it. */
  json?: JsonValue
  is_guess?: boolean
}

/** The file of a COMPLETED upload of the bucket. Throws `upload_not_found` and `upload_not_confirmed`. */
export type FindUpload = (scope: Scope, bucket_id: string, upload_id: string) => Promise<string>

export type BlobReaderOptions = {
  files: Files
  urls: UrlFetcher
  findUpload: FindUpload
  inline_limit_bytes: number
}

type ReadOptions = { bucket_id: string; storage_class: string | null; signal?: AbortSignal }

/** Turns the blobs of a request into entries with durable bytes behind them. */
export class BlobReader {
  readonly #files: Files
  readonly #urls: UrlFetcher
  readonly #findUpload: FindUpload
  readonly #inline_limit_bytes: number

  constructor({ files, urls, findUpload, inline_limit_bytes }: BlobReaderOptions) {
    this.#files = files
    this.#urls = urls
    this.#findUpload = findUpload
    this.#inline_limit_bytes = inline_limit_bytes
  }

  /** What it stages and does not return, because of an error, it discards itself. */
  async read(
    scope: Scope,
    schema: BucketSchema | null,
    request: BlobRequest,
    options: ReadOptions,
  ): Promise<PreparedBlob> {
    const { source, type, loc } = request
    if ('kept_blob_id' in source)
      return { kind: 'kept', property: request.property ?? '', blob_id: source.kept_blob_id }
    if ('staged' in source) {
      const { staged } = source
      return this.#settle(schema, request, fileContent(staged, staged.mime_type))
    }
    const parsed: BlobSource =
      'upload_id' in source
        ? { kind: 'file', file_id: await this.#findUpload(scope, options.bucket_id, source.upload_id) }
        : readSource(type, source.data, { limit_bytes: this.#inline_limit_bytes, loc })
    return this.#settle(schema, request, await this.#content(scope, parsed, request, options))
  }

  async #settle(schema: BucketSchema | null, request: BlobRequest, content: Content): Promise<PreparedBlob> {
    try {
      return await settle(schema, request, content)
    } catch (error) {
      if (content.staged) await this.#files.discard([content.staged])
      throw error
    }
  }

  async #content(
    scope: Scope,
    source: BlobSource,
    request: BlobRequest,
    options: ReadOptions,
  ): Promise<Content> {
    switch (source.kind) {
      case 'json':
        return jsonContent(source.value)
      case 'text':
        return this.#text(scope, source.text, options)
      case 'bytes':
        return this.#bytes(scope, source, options)
      case 'file': {
        const {
          mime_type,
          filename,
          size_bytes,
          sha256: hash,
        } = await this.#files.info(scope, source.file_id)
        const url = fileAddress(source.file_id)
        const details = { filename, size_bytes, mime_type, hash }
        return {
          mime_type,
          properties: { url },
          details,
          staged: null,
          file_id: source.file_id,
          source_url: null,
        }
      }
      case 'url':
        return urlContent(
          request.canonicalize
            ? await this.#urls.copy(scope, source.url, options)
            : await this.#urls.check(scope, source.url, options),
          source,
        )
    }
  }

  async #text(scope: Scope, text: string, options: { storage_class: string | null }): Promise<Content> {
    const mime_type = 'text/plain'
    const bytes = Buffer.from(text)
    const staged = await this.#stage(scope, bytes, { ...options, mime_type, filename: null })
    const content = fileContent(staged, mime_type)
    if (bytes.byteLength <= TEXT_PROPERTY_BYTES_MAX) content.properties.text = text
    return content
  }

  async #bytes(
    scope: Scope,
    { bytes, mime_type: declared, filename, is_guess }: Extract<BlobSource, { kind: 'bytes' }>,
    options: { storage_class: string | null },
  ): Promise<Content> {
    const mime_type = await sniffMime(bytes.subarray(0, SNIFF_BYTES), declared, filename)
    const staged = await this.#stage(scope, bytes, { ...options, mime_type, filename })
    return { ...fileContent(staged, mime_type), is_guess }
  }

  #stage(
    scope: Scope,
    bytes: Uint8Array,
    options: { mime_type: string; filename: string | null; storage_class: string | null },
  ): Promise<StagedFile> {
    return this.#files.stage(scope, bytes, { ...options, limit_bytes: this.#inline_limit_bytes })
  }
}

function fileContent(staged: StagedFile, mime_type: string): Content {
  const { file_id, filename, size_bytes, sha256: hash } = staged
  const details = { filename, size_bytes, mime_type, hash }
  return { mime_type, properties: { url: fileAddress(file_id) }, details, staged, file_id, source_url: null }
}

function urlContent(
  fetched: FetchedUrl,
  { url, properties }: { url: string; properties: JsonObject },
): Content {
  if (fetched.staged) {
    const content = fileContent(fetched.staged, fetched.staged.mime_type)
    return { ...content, properties: { ...properties, ...content.properties } }
  }
  const { mime_type, filename, size_bytes } = fetched
  const details = { filename, size_bytes, mime_type, hash: null }
  return {
    mime_type,
    properties: { ...properties, url },
    details,
    staged: null,
    file_id: null,
    source_url: url,
  }
}

function jsonContent(value: JsonValue): Content {
  const text = canonicalJson(value)
  const mime_type = 'application/json'
  const details = { filename: null, size_bytes: Buffer.byteLength(text), mime_type, hash: sha256(text) }
  const properties = isObject(value) ? (value as JsonObject) : { data: value }
  return { mime_type: null, properties, details, staged: null, file_id: null, source_url: null, json: value }
}

/** Settles property and type and checks that the content fits them. */
async function settle(
  schema: BucketSchema | null,
  request: BlobRequest,
  content: Content,
): Promise<PreparedBlob> {
  const property = request.property ?? chooseProperty(schema, request.candidates, content)
  const type = schema?.properties[property]?.type ?? request.type ?? guessType(content)
  if (content.json !== undefined) checkJson(schema, property, content.json, request)
  else checkMime(property, type, content)
  const { properties, details, file_id, source_url, staged } = content
  const { key_prefix, metadata, force_remirror } = request
  const entry: BlobEntry = {
    blob_id: newId.blob(),
    property,
    type,
    key_prefix,
    properties: content.json === undefined ? { ...metadata, ...properties } : properties,
    details,
    metadata,
    file_id,
    source_url,
  }
  return { kind: 'entry', entry, staged, force_remirror }
}

function chooseProperty(schema: BucketSchema | null, candidates: string[], { mime_type }: Content): string {
  const fitting = candidates.filter(
    (name) => mime_type !== null && fitsBlobType(mime_type, schema!.properties[name]!.type),
  )
  if (fitting.length !== 1) throw new KuraError('blob_property_ambiguous', { properties: candidates })
  return fitting[0]!
}

/** The type of a blob in a bucket that has no schema, when the client names none. */
function guessType({ json, mime_type }: Content): FieldType {
  if (json !== undefined) {
    if (Array.isArray(json)) return 'array'
    return isObject(json) ? 'object' : (typeof json as 'string' | 'number' | 'boolean')
  }
  return FILE_TYPES.find((type) => mime_type !== null && fitsBlobType(mime_type, type)) ?? 'text'
}

function checkJson(
  schema: BucketSchema | null,
  property: string,
  value: JsonValue,
  { loc }: BlobRequest,
): void {
  const field = schema?.properties[property]
  if (!field) return
  const violations: Violation[] = []
  checkValue(field, value, [...loc, 'data'], violations)
  if (violations.length > 0) throw schemaValidationFailed(violations)
}

/** An uncopied reference whose server does not say what it holds is checked when it is processed. */
function checkMime(property: string, type: FieldType, { mime_type, is_guess, staged }: Content): void {
  if (mime_type === null) return
  if (fitsBlobType(mime_type, type)) return
  const found =
    is_guess || (staged && mime_type === 'application/octet-stream') ? 'of no known type' : mime_type
  throw new KuraError('blob_type_mismatch', { property, found, expected: type })
}

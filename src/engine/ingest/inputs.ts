import type { MappedInput } from '../../core/collections/mapping.ts'
import { parseFileAddress } from '../../core/file-address.ts'
import type { Scope } from '../../core/scope.ts'
import { type InputType, type InputValue, RowError } from '../../extractors/extractor.ts'
import type { FetchUrl, IngestLimits } from './deps.ts'

type Files = {
  info(
    scope: Scope,
    file_id: string,
  ): Promise<{ size_bytes: number; mime_type: string; filename: string | null }>
  bytes(scope: Scope, file_id: string, limit_bytes: number): Promise<Uint8Array>
}

export type InputDeps = { files: Files; fetchUrl: FetchUrl; limits: IngestLimits }

/** Turns mapped values into what extractors read; bytes come from our store on demand, from elsewhere at once. */
export async function toInputValue(
  deps: InputDeps,
  scope: Scope,
  { value }: Pick<MappedInput, 'value'>,
  signal: AbortSignal,
): Promise<InputValue> {
  switch (value.kind) {
    case 'text':
      return { kind: 'text', text: value.text }
    case 'json':
      return { kind: 'json', value: value.value }
    case 'invalid':
      throw new RowError('validation', value.reason)
    case 'url':
      return addressInput(deps, scope, value.url, value.type as InputType | null, signal)
    case 'blob': {
      const { file_id, source_url, type, details } = value.blob
      if (file_id === null) return addressInput(deps, scope, source_url!, type as InputType, signal)
      return {
        kind: 'file',
        type: type as InputType,
        mime_type: details.mime_type ?? 'application/octet-stream',
        size_bytes: details.size_bytes ?? 0,
        filename: details.filename,
        bytes: () => storedBytes(deps, scope, file_id),
      }
    }
  }
}

/** Whether making the value needs a download: such rows are run few at a time, because their bytes wait in memory. */
export function needsDownload({ value }: Pick<MappedInput, 'value'>): boolean {
  if (value.kind === 'url') return parseFileAddress(value.url) === null
  return value.kind === 'blob' && value.blob.file_id === null
}

async function addressInput(
  deps: InputDeps,
  scope: Scope,
  url: string,
  type: InputType | null,
  signal: AbortSignal,
): Promise<InputValue> {
  const file_id = parseFileAddress(url)
  if (file_id !== null) {
    const { size_bytes, mime_type, filename } = await deps.files.info(scope, file_id)
    return {
      kind: 'file',
      type: type ?? typeOf(mime_type),
      mime_type,
      size_bytes,
      filename,
      bytes: () => storedBytes(deps, scope, file_id),
    }
  }
  const { bytes, mime_type, filename } = url.startsWith('data:')
    ? dataUrl(url)
    : await deps.fetchUrl(scope, url, { limit_bytes: deps.limits.input_bytes_max, signal })
  return {
    kind: 'file',
    type: type ?? typeOf(mime_type),
    mime_type,
    size_bytes: bytes.byteLength,
    filename,
    bytes: async () => bytes,
  }
}

function storedBytes({ files, limits }: InputDeps, scope: Scope, file_id: string): Promise<Uint8Array> {
  return files.bytes(scope, file_id, limits.input_bytes_max)
}

const DATA_URL = /^data:([^;,]*)((?:;[^;,]*)*),/i

function dataUrl(url: string): { bytes: Uint8Array; mime_type: string; filename: null } {
  const match = DATA_URL.exec(url)
  if (!match) throw new RowError('validation', 'The data: URL is malformed.')
  const content = url.slice(match[0].length)
  const bytes = match[2]!.toLowerCase().split(';').includes('base64')
    ? Buffer.from(content, 'base64')
    : Buffer.from(decodeURIComponent(content))
  return { bytes, mime_type: match[1] || 'text/plain', filename: null }
}

/** The kind of file that a MIME type stands for, where no schema says it. */
function typeOf(mime_type: string): InputType {
  const [family] = mime_type.split('/')
  if (family === 'image' || family === 'audio' || family === 'video') return family
  return mime_type === 'application/pdf' ? 'pdf' : 'text'
}

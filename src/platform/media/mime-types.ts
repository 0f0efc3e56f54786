/** Names of MIME types: spellings that mean the same, families, and what a file extension stands for. */

export const DOCX = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
const ODS = 'application/vnd.oasis.opendocument.spreadsheet'

const ALIASES: Record<string, string> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'image/svg': 'image/svg+xml',
  'image/vnd.microsoft.icon': 'image/x-icon',
  'audio/x-wav': 'audio/wav',
  'audio/wave': 'audio/wav',
  'audio/vnd.wave': 'audio/wav',
  'audio/mp3': 'audio/mpeg',
  'audio/x-m4a': 'audio/mp4',
  'audio/m4a': 'audio/mp4',
  'audio/x-flac': 'audio/flac',
  'video/x-matroska': 'video/matroska',
  'application/x-pdf': 'application/pdf',
  'application/x-zip-compressed': 'application/zip',
  'application/x-javascript': 'text/javascript',
  'application/javascript': 'text/javascript',
  'text/x-markdown': 'text/markdown',
  'text/xml': 'application/xml',
  'application/csv': 'text/csv',
  'application/x-yaml': 'application/yaml',
  'text/yaml': 'application/yaml',
}

const BY_EXTENSION: Record<string, string> = {
  txt: 'text/plain',
  text: 'text/plain',
  log: 'text/plain',
  md: 'text/markdown',
  markdown: 'text/markdown',
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  htm: 'text/html',
  html: 'text/html',
  xhtml: 'application/xhtml+xml',
  css: 'text/css',
  js: 'text/javascript',
  mjs: 'text/javascript',
  vtt: 'text/vtt',
  srt: 'application/x-subrip',
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  xml: 'application/xml',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  pdf: 'application/pdf',
  doc: 'application/msword',
  docx: DOCX,
  xls: 'application/vnd.ms-excel',
  xlsx: XLSX,
  ods: ODS,
  zip: 'application/zip',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  heic: 'image/heic',
  heif: 'image/heif',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  bmp: 'image/bmp',
  svg: 'image/svg+xml',
  ico: 'image/x-icon',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  flac: 'audio/flac',
  oga: 'audio/ogg',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  weba: 'audio/webm',
  wma: 'audio/x-ms-wma',
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
  mkv: 'video/matroska',
  avi: 'video/x-msvideo',
  ogv: 'video/ogg',
  wmv: 'video/x-ms-wmv',
  mpg: 'video/mpeg',
  mpeg: 'video/mpeg',
}

const SPREADSHEETS = new Set([
  XLSX,
  ODS,
  'application/vnd.ms-excel',
  'application/vnd.ms-excel.sheet.macroenabled.12',
  'application/vnd.ms-excel.sheet.binary.macroenabled.12',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.template',
  'text/csv',
  'text/tab-separated-values',
])

/** Types that are text although they are not named `text/…`. */
const TEXTUAL = new Set([
  'application/json',
  'application/x-ndjson',
  'application/xml',
  'application/xhtml+xml',
  'application/yaml',
  'application/toml',
  'application/sql',
  'application/x-subrip',
  'application/x-sh',
])

/** Lower case, without parameters (`; charset=…`), in the usual spelling. Null for what is no MIME type. */
export function normalizeMime(mime: string | null | undefined): string | null {
  const bare = mime?.split(';', 1)[0]?.trim().toLowerCase()
  if (!bare || !/^[\w.+-]+\/[\w.+-]+$/.test(bare)) return null
  return ALIASES[bare] ?? bare
}

/** The type that a file name promises by its extension. */
export function mimeOfFilename(filename: string | null | undefined): string | null {
  const extension = /\.(\w{1,10})$/.exec(filename ?? '')?.[1]?.toLowerCase()
  // A file may be called `x.constructor`, and every object has a member of that name.
  return (extension && Object.hasOwn(BY_EXTENSION, extension) && BY_EXTENSION[extension]) || null
}

/** True for types whose bytes are characters: text, JSON, XML and the like. */
export function isTextual(mime: string): boolean {
  return mime.startsWith('text/') || TEXTUAL.has(mime) || /\+(?:json|xml|yaml)$/.test(mime)
}

/**
 * Whether a file of this MIME type may be a blob of this schema type. A GIF is image and video:
 * the schema decides how it is read. Types that are no file types fit nothing.
 */
export function fitsBlobType(mime: string, type: string): boolean {
  const name = normalizeMime(mime)
  if (!name) return false
  switch (type) {
    case 'image':
    case 'audio':
      return name.startsWith(`${type}/`)
    case 'video':
      return name.startsWith('video/') || name === 'image/gif'
    case 'pdf':
      return name === 'application/pdf'
    case 'excel':
      return SPREADSHEETS.has(name)
    case 'text':
      return (isTextual(name) && !name.startsWith('image/')) || name === DOCX
    default:
      return false
  }
}

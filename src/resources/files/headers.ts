import type { FileInfo } from '../../platform/files/files.ts'

/**
 * Types that a browser runs or renders as a page. They are shown in a sandbox without scripts, forms
 * or access to anything, so that a stored file can never act in the name of this server.
 */
const ACTIVE = /^(?:text\/(?:html|xml|xsl|javascript)|application\/(?:xhtml\+xml|xml|javascript)|.*\+xml)$/

/** Types that browsers show well on their own; everything else is downloaded. */
const SHOWN = /^(?:image|audio|video)\/|^application\/(?:pdf|json)$|^text\/(?:plain|csv|markdown)$/

/** Headers that say what the file is and keep it harmless. */
export function describeFile(file: FileInfo, expires_in_seconds: number): Record<string, string> {
  const { sha256, mime_type, filename, file_id } = file
  const isActive = ACTIVE.test(mime_type)
  const disposition = SHOWN.test(mime_type) && !isActive ? 'inline' : 'attachment'
  return {
    etag: `"${sha256}"`,
    'accept-ranges': 'bytes',
    'content-type': mime_type.startsWith('text/') ? `${mime_type}; charset=utf-8` : mime_type,
    'content-disposition': contentDisposition(
      isActive && isSvg(file) ? 'inline' : disposition,
      filename ?? file_id,
    ),
    'cache-control': `private, max-age=${Math.max(0, expires_in_seconds)}, immutable`,
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'cross-origin',
    'referrer-policy': 'no-referrer',
    ...(isActive && {
      'content-security-policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    }),
  }
}

/** Pictures are meant to be seen; the sandbox makes even a scripted one inert. */
const isSvg = ({ mime_type }: FileInfo) => mime_type === 'image/svg+xml'

/** RFC 6266: an ASCII name for old clients, the exact one in `filename*`. */
export function contentDisposition(kind: 'inline' | 'attachment', filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const extended = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${extended}`
}

/** What a Range header asks of a body of known size; see RFC 9110 §14. */
export type RangeRequest =
  | { kind: 'whole' }
  /** Both inclusive. */
  | { kind: 'part'; start: number; end: number }
  | { kind: 'unsatisfiable' }

const WHOLE: RangeRequest = { kind: 'whole' }

/**
 * Reads `bytes=0-99`, `bytes=100-` and `bytes=-100`. Several ranges, other units and nonsense are
 * ignored, as the RFC allows: the answer is then the whole body.
 */
export function parseRange(header: string | undefined, size_bytes: number): RangeRequest {
  const match = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return WHOLE
  const [, first, last] = match
  if (first === '') {
    const suffix = Math.min(Number(last), size_bytes)
    if (suffix === 0) return { kind: 'unsatisfiable' }
    return { kind: 'part', start: size_bytes - suffix, end: size_bytes - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return WHOLE
  if (start >= size_bytes) return { kind: 'unsatisfiable' }
  const end = last === '' ? size_bytes - 1 : Math.min(Number(last), size_bytes - 1)
  return { kind: 'part', start, end }
}

/** Whether a comma list of entity tags (If-None-Match) names this one; weak tags compare by value. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)
}

import picomatch from 'picomatch'
import { valueError } from '../../core/errors.ts'
import { parseInstant } from '../../core/time.ts'
import { mimeOfFilename, normalizeMime } from '../../platform/media/mime.ts'
import type { SourceFile } from '../../platform/sources/source-provider.ts'
import type { FileFilters } from './settings.ts'

/** Alternatives that the braces of one pattern may multiply out to, and how deep groups may nest. */
const ALTERNATIVES_MAX = 256
const NESTING_MAX = 4

/** Why a file is left out, or null when it is taken. */
export type FileFilter = (file: SourceFile) => string | null

/**
 * Compiles the filters; throws a 422 for a pattern that cannot be one, or that would cost too much.
 * Patterns match the path under `source_path`, those without a slash the name.
 */
export function createFileFilter(filters: FileFilters | null | undefined): FileFilter {
  if (!filters) return () => null
  const include = matcher(filters.include_patterns, 'include_patterns')
  const exclude = matcher(filters.exclude_patterns, 'exclude_patterns')
  const extensions = filters.extensions?.map((one) => one.toLowerCase().replace(/^\*?\.?/, '.'))
  const mime = filters.mime_types?.length ? filters.mime_types.map((one) => one.toLowerCase()) : null
  const { min_size_bytes, max_size_bytes } = filters
  const after = instant(filters.modified_after)
  const before = instant(filters.modified_before)
  return (file) => {
    const size = file.size_bytes
    const modified = file.modified_at === null ? null : parseInstant(file.modified_at)
    if (include && !include(file)) return 'matches no include pattern'
    if (exclude?.(file)) return 'matches an exclude pattern'
    if (extensions?.length && !extensions.some((one) => file.name.toLowerCase().endsWith(one)))
      return 'has another extension'
    if (size !== null && size < (min_size_bytes ?? 0)) return 'is smaller than min_size_bytes'
    if (size !== null && size > (max_size_bytes ?? Number.POSITIVE_INFINITY))
      return 'is larger than max_size_bytes'
    if (after !== null && modified !== null && modified < after) return 'was modified before modified_after'
    if (before !== null && modified !== null && modified > before) return 'was modified after modified_before'
    if (mime && !mime.some((one) => fitsMime(one, file))) return 'has another MIME type'
    return null
  }
}

function matcher(patterns: readonly string[] | null | undefined, member: string) {
  if (!patterns?.length) return null
  const loc = ['body', 'file_filters', member]
  const tests = patterns.map((pattern, i) => {
    checkCost(pattern, [...loc, i])
    const matches = compile(pattern, [...loc, i])
    return pattern.includes('/')
      ? ({ path }: SourceFile) => matches(path)
      : ({ name }: SourceFile) => matches(name)
  })
  return (file: SourceFile) => tests.some((test) => test(file))
}

function compile(pattern: string, loc: (string | number)[]): (text: string) => boolean {
  try {
    // Extended globs can repeat groups in groups, which backtracks without end; plain ones cannot.
    return picomatch(pattern.replace(/^\/+/, ''), { dot: true, noextglob: true, nonegate: true })
  } catch {
    throw valueError(loc, 'The pattern is not a valid glob')
  }
}

/** Braces multiply, and stars in a row make the matcher try every split of the text. */
function checkCost(pattern: string, loc: (string | number)[]): void {
  let alternatives = 1
  let depth = 0
  for (const char of pattern) {
    if (char === '{') depth++
    if (char === '}') depth--
    if (char === ',' && depth > 0) alternatives *= 2
    if (depth > NESTING_MAX || alternatives > ALTERNATIVES_MAX)
      throw valueError(loc, 'The pattern has too many alternatives')
  }
  if (/\{-?\w+\.\.-?\w+/.test(pattern)) throw valueError(loc, 'Ranges in braces are not supported')
  if ((pattern.match(/\*+/g)?.length ?? 0) > 8) throw valueError(loc, 'The pattern has more than 8 stars')
}

function fitsMime(wanted: string, { mime_type, name }: SourceFile): boolean {
  const found = normalizeMime(mime_type) ?? mimeOfFilename(name)
  if (!found) return false
  return wanted.endsWith('/*') ? found.startsWith(wanted.slice(0, -1)) : found === wanted
}

const instant = (text: string | null | undefined) => (text ? parseInstant(text) : null)

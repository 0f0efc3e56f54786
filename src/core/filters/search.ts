import { foldCase } from './fold.ts'

/** A `search` phrase of a list. */
export type SearchPattern = {
  /**
   * What a field value is compared with: one text means "contains it"; several are the pieces of a
   * glob over the whole value, with `*` between them.
   */
  readonly pieces: readonly GlobPiece[]
  readonly glob: boolean
  readonly case_sensitive: boolean
}

/** Characters to be found in order; null stands for any one character (`?`). */
export type GlobPiece = readonly (string | null)[]

/**
 * Reads a search phrase. `*` is any run and `?` any one character, and either makes the phrase a
 * glob over a whole field value; `\*`, `\?`, `\\` and everything else is literal. Blank means no search: null.
 */
export function parseSearch(
  text: string | null | undefined,
  { case_sensitive = false }: { case_sensitive?: boolean } = {},
): SearchPattern | null {
  const phrase = text?.toWellFormed().trim()
  if (!phrase) return null
  const pieces: (string | null)[][] = [[]]
  let glob = false
  for (const token of phrase.matchAll(/\\[*?\\]|[\s\S]/gu)) {
    if (token[0] === '*') {
      glob = true
      pieces.push([])
    } else if (token[0] === '?') {
      glob = true
      pieces.at(-1)!.push(null)
    } else {
      pieces.at(-1)!.push(token[0].length > 1 && token[0][0] === '\\' ? token[0].slice(1) : token[0])
    }
  }
  return { pieces: case_sensitive ? pieces : pieces.map(foldPiece), glob, case_sensitive }
}

/** Folds each literal run as a whole: NFC may join characters. */
function foldPiece(piece: GlobPiece): GlobPiece {
  const folded: (string | null)[] = []
  let literal = ''
  const flush = () => {
    // One by one: a phrase may have more characters than a call has room for arguments.
    for (const character of foldCase(literal)) folded.push(character)
    literal = ''
  }
  for (const character of piece) {
    if (character !== null) {
      literal += character
      continue
    }
    flush()
    folded.push(null)
  }
  flush()
  return folded
}

/** The text of a phrase that is no glob, folded unless case counts. */
export const searchedText = ({ pieces }: SearchPattern): string => pieces[0]!.join('')

/** Whether one field value is found by a search phrase. */
export function matchesSearch(pattern: SearchPattern, value: string): boolean {
  const text = pattern.case_sensitive ? value : foldCase(value)
  return pattern.glob ? matchesGlob(pattern.pieces, [...text]) : text.includes(searchedText(pattern))
}

/**
 * The first piece stands at the start, the last at the end, each other one at the first place after
 * its predecessor: taking the first place never loses a match, so no backtracking is needed.
 */
function matchesGlob(pieces: readonly GlobPiece[], text: readonly string[]): boolean {
  const first = pieces[0]!
  const last = pieces.at(-1)!
  if (pieces.length === 1) return text.length === first.length && standsAt(first, text, 0)
  const end = text.length - last.length
  if (end < first.length || !standsAt(first, text, 0) || !standsAt(last, text, end)) return false
  let position = first.length
  for (const piece of pieces.slice(1, -1)) {
    while (position + piece.length <= end && !standsAt(piece, text, position)) position++
    if (position + piece.length > end) return false
    position += piece.length
  }
  return true
}

function standsAt(piece: GlobPiece, text: readonly string[], position: number): boolean {
  return piece.every((character, i) => character === null || character === text[position + i])
}

/** Every string inside a JSON value, at any depth; member names are not part of it. */
export function* stringLeaves(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value
  else if (typeof value === 'object' && value !== null)
    for (const member of Object.values(value)) yield* stringLeaves(member)
}

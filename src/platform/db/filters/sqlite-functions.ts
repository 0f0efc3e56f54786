import type { DatabaseSync } from 'node:sqlite'
import type { Test } from '../../../core/filters/ast.ts'
import { buildTest, type ValuesTest } from '../../../core/filters/evaluate.ts'
import { foldCase } from '../../../core/filters/fold.ts'
import { type Path, valuesAt } from '../../../core/filters/path.ts'
import { regexTest } from '../../../core/filters/regex.ts'
import { instantOf, numberOf } from '../../../core/filters/scalars.ts'
import { matchesSearch, type SearchPattern, stringLeaves } from '../../../core/filters/search.ts'
import { sortText } from '../../../core/filters/sort-order.ts'
import { hasWords, wordsOf } from '../../../core/filters/words.ts'

/** A test of the values at a path of a JSON value, as the filter compiler hands it to `kura_test`. */
export type JsonTest = { path: Path; test: Test }

/** A search of the strings of a JSON value, as handed to `kura_search`. */
export type JsonSearch = { pattern: SearchPattern; members_only: boolean }

/**
 * Gives a SQLite connection the functions that compiled filters, searches and sorts call where SQL
 * alone cannot say what they mean. Each runs the reference code. They are deterministic, and null
 * or a value of another type gives null.
 */
export function registerFilterFunctions(database: DatabaseSync): void {
  define(database, 'kura_fold', foldCase)
  define(database, 'kura_instant', instantOf)
  define(database, 'kura_number', numberOf)
  define(database, 'kura_regex', (pattern, fold, text) => regexTest(pattern, fold === 'fold')(text))
  define(database, 'kura_words', (words, text) => hasWords(text, wordSets.get(words)))
  define(database, 'kura_glob', (pattern, text) => matchesSearch(patterns.get(pattern), text))
  define(database, 'kura_test', (test, json) => jsonTests.get(test)(JSON.parse(json)))
  define(database, 'kura_search', (search, json) => jsonSearches.get(search)(JSON.parse(json)))
  define(database, 'kura_sort_text', (path, json) => sortText(valuesAt(JSON.parse(json), paths.get(path))[0]))
}

type Result = string | number | boolean | null

function define(database: DatabaseSync, name: string, implementation: (...texts: string[]) => Result): void {
  // BigInt arguments: a stored integer beyond 2^53 must give null, not an exception of the binding.
  const options = { deterministic: true, useBigIntArguments: true, varargs: true }
  database.function(name, options, (...values: unknown[]) => {
    if (!values.every((value) => typeof value === 'string')) return null
    const result = implementation(...values)
    return typeof result === 'boolean' ? Number(result) : result
  })
}

/** Argument texts kept together with what they stand for; long value lists make them long. */
const PREPARED_CHARACTERS_MAX = 4_000_000

/** What a text argument stands for, read once and not once a row. */
class Prepared<T> {
  readonly #read: (text: string) => T
  readonly #known = new Map<string, T>()
  #characters = 0

  constructor(read: (text: string) => T) {
    this.#read = read
  }

  get(text: string): T {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const read = this.#read(text)
    this.#known.set(text, read)
    this.#characters += text.length
    for (const oldest of this.#known.keys()) {
      if (this.#characters <= PREPARED_CHARACTERS_MAX) break
      this.#known.delete(oldest)
      this.#characters -= oldest.length
    }
    return read
  }
}

const paths = new Prepared<Path>((text) => JSON.parse(text) as Path)
const patterns = new Prepared<SearchPattern>((text) => JSON.parse(text) as SearchPattern)
const wordSets = new Prepared((text) => wordsOf(text))
const jsonTests = new Prepared<(value: unknown) => boolean>((text) => {
  const { path, test } = JSON.parse(text) as JsonTest
  const passes: ValuesTest = buildTest(test)
  return (value) => {
    const values = valuesAt(value, path)
    return values.length > 0 && passes(values)
  }
})
const jsonSearches = new Prepared<(value: unknown) => boolean>((text) => {
  const { pattern, members_only } = JSON.parse(text) as JsonSearch
  return (value) => {
    const strings = members_only ? rootStrings(value) : stringLeaves(value)
    for (const string of strings) if (matchesSearch(pattern, string)) return true
    return false
  }
})

function rootStrings(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).filter((member): member is string => typeof member === 'string')
}

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { sql } from 'kysely'
import { postgresWithFunctions } from '../../../../tests/support/test-db.ts'
import { KuraError } from '../../../core/errors.ts'
import { regexTest } from '../../../core/filters/regex.ts'
import { hasWords, wordsOf } from '../../../core/filters/words.ts'
import type { Db } from '../db.ts'
import { postgresRegex } from './postgres-regex.ts'
import { postgresScalar } from './postgres-scalar.ts'

test('a pattern without case keeps its letters', () => {
  assert.equal(postgresRegex('ab', false), '(?:ab)')
})

test('case is spelled out, with all forms of a letter', () => {
  assert.equal(postgresRegex('k', true), '(?:[Kk\\u212a])')
})

test('what PostgreSQL would read in its own way is escaped', () => {
  assert.equal(postgresRegex('\\.\\\\', false), '(?:\\u002e\\u005c)')
  assert.equal(postgresRegex('***=x'.slice(3), false), '(?:\\u003dx)')
})

test('counts beyond the limit of PostgreSQL are split', () => {
  assert.equal(postgresRegex('a{300}', false), '(?:(?:(?:a){255}(?:a){45}))')
})

const skip = process.env.KURA_TEST_POSTGRES_URL ? false : 'KURA_TEST_POSTGRES_URL names no server'

describe('patterns on PostgreSQL', { skip }, () => {
  let db: Db
  let close: () => Promise<void>

  before(async () => {
    ;({ db, close } = await postgresWithFunctions())
  })
  after(() => close())

  const atom = fc.constantFrom(
    ...[
      'a',
      'b',
      'k',
      's',
      'é',
      'É',
      'Σ',
      '\u212A',
      '😀',
      ' ',
      '-',
      '1',
      '_',
      '.',
      '\\n',
      '\\t',
      '\\x41',
      '\\x{e9}',
      '\\141',
      '\\.',
    ],
    ...[
      '[ab]',
      '[^a]',
      '[a-k]',
      '[^\\w]',
      '[\\d_]',
      '[[:alpha:]]',
      '[[:^digit:]-]',
      '[]a]',
      '[^]a]',
      '[a-]',
      '[É-ß]',
      '[\\pL-]',
      '[\\x00-\\x{10FFFF}]',
    ],
    ...[
      '\\d',
      '\\D',
      '\\w',
      '\\W',
      '\\s',
      '\\S',
      '\\pL',
      '\\PL',
      '\\p{Greek}',
      '\\p{^Lu}',
      '\\P{Ll}',
      '\\pN',
      '\\p{Any}',
      '\\b',
      '\\B',
      '^',
      '$',
      '\\A',
      '\\z',
    ],
    ...[
      '\\Qa.b\\E',
      '\\Q*\\E',
      '',
      'a{1',
      '{',
      '}',
      ']',
      '(?i)',
      '(?m)',
      '(?s)',
      '(?-i)',
      '(?U)',
      '/',
      '#',
      '***:',
      '\\C',
    ],
  )
  const { pattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
    pattern: fc.array(tie('part'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
    part: fc.oneof(
      { maxDepth: 3 },
      { weight: 6, arbitrary: atom },
      {
        weight: 2,
        arbitrary: fc
          .tuple(atom, fc.constantFrom('*', '+', '?', '*?', '+?', '{2}', '{1,}', '{0,3}', '{2,3}?'))
          .map((parts) => parts.join('')),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(
            fc.constantFrom('(', '(?:', '(?P<n>', '(?<m>', '(?i:', '(?s-i:', '(?m:'),
            tie('pattern'),
            fc.constantFrom('', '|', '|a|'),
            tie('pattern'),
            fc.constantFrom(')', ')*', ')+', ')?', '){2}'),
          )
          .map((parts) => parts.join('')),
      },
      { weight: 1, arbitrary: fc.tuple(tie('pattern'), tie('pattern')).map((parts) => parts.join('|')) },
    ),
  }))

  const subjects = [
    ...[
      '',
      'a',
      'A',
      'b',
      'ab',
      'aab',
      'kk',
      'K',
      '\u212A',
      's',
      'ſ',
      'S',
      'é',
      'É',
      'e\u0301',
      'ß',
      'ẞ',
      'σ',
      'ς',
      'Σ',
      '😀',
      '1',
      '12',
      '_',
      '-',
    ],
    ...[
      'a b',
      'a\nb',
      '\n',
      'a\n',
      '\na',
      'a-b',
      'a.b',
      'aXb',
      '*',
      '{',
      'a{1',
      ']',
      '}',
      'abab',
      'aaaa',
      'Éa',
      'été',
      '漢字',
      '٣',
      'ab_1',
      ' a',
      'b\tk',
    ],
  ]

  test('match what RE2 matches', async () => {
    let tried = 0
    await fc.assert(
      fc.asyncProperty(pattern, fc.boolean(), async (source, fold) => {
        let matches: (text: string) => boolean
        try {
          matches = regexTest(source, fold)
        } catch (error) {
          assert.ok(error instanceof KuraError)
          return
        }
        tried++
        const test = postgresScalar.regex(sql`source`, source, fold)
        const found = await sql<{ result: boolean }>`select ${test} as result
          from unnest(${subjects}::text[]) with ordinality as given(source, place) order by place`.execute(db)
        const differ = subjects.filter((subject, i) => found.rows[i]?.result !== matches(subject))
        assert.deepEqual(differ, [], `${source} as ${postgresRegex(source, fold)}`)
      }),
      { numRuns: Number(process.env.KURA_TEST_FILTER_RUNS ?? 400) },
    )
    assert.ok(tried > 100)
  })

  test('find the words that the reference finds', async () => {
    const texts = [
      'the quick brown',
      'quick',
      'QUICK!',
      'quickly',
      'a-quick-b',
      'ÜBER straße',
      'u\u0308ber',
      'x²quick',
      '漢字',
      '漢字かな',
      'e\u0301a quick',
      'quick_fox',
      '',
    ]
    for (const query of ['quick', 'über', 'Straße quick', '漢字', 'fox', 'a', '', 'brown THE']) {
      const found = await sql<{
        result: boolean
      }>`select ${postgresScalar.words(sql`source`, query)} as result
          from unnest(${texts}::text[]) with ordinality as given(source, place) order by place`.execute(db)
      assert.deepEqual(
        found.rows.map(({ result }) => result),
        texts.map((text) => hasWords(text, wordsOf(query))),
        query,
      )
    }
  })

  test('a pattern that ruins backtracking engines takes no time', { timeout: 20_000 }, async () => {
    const hostile = postgresScalar.regex(sql`repeat('a', 20000) || '!'`, '(a+)+$', false)
    const found = await sql<{ result: boolean }>`select ${hostile} as result`.execute(db)
    assert.equal(found.rows[0]?.result, false)
  })
})

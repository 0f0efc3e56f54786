import Type, { type Static } from 'typebox'
import { KuraError } from '../core/errors.ts'
import type { FilterNode } from '../core/filters/ast.ts'
import { allOf } from '../core/filters/combine.ts'
import { parseFilter } from '../core/filters/parse.ts'
import { FUSIONS, fuse, type RankedList } from '../core/retrievers/fusion.ts'
import { Defaulted, Nullable } from '../core/schema.ts'
import { normalizeFeatureSearch } from './feature-search-spellings.ts'
import { toQuery } from './search-query.ts'
import {
  type Candidate,
  defineStage,
  type FeatureMatch,
  type SearchableFeature,
  type SearchQuery,
  type StageTools,
  unscored,
} from './stage.ts'

const FILTER_ONLY_PER_COLLECTION_MAX = 10_000

const Search = Type.Object({
  feature_uri: Type.Optional(Nullable(Type.String({ minLength: 1 }))),
  query: Type.Optional(Nullable(Type.Unknown())),
  top_k: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 100),
  min_score: Type.Optional(Nullable(Type.Number({ minimum: 0, maximum: 1 }))),
  weight: Defaulted(Type.Number({ minimum: 0, maximum: 1 }), 1),
  on_empty: Defaulted(Type.Enum(['error', 'skip', 'random']), 'error'),
  collection_identifiers: Type.Optional(Nullable(Type.Array(Type.String()))),
  filters: Type.Optional(Nullable(Type.Unknown())),
})

const Parameters = Type.Object({
  searches: Defaulted(Type.Array(Search, { maxItems: 10 }), []),
  final_top_k: Defaulted(Type.Integer({ minimum: 1, maximum: 500 }), 25),
  fusion: Defaulted(Type.Enum([...FUSIONS]), 'rrf'),
  rrf_k: Defaulted(Type.Integer({ minimum: 1, maximum: 1000 }), 60),
  collection_identifiers: Type.Optional(Nullable(Type.Array(Type.String()))),
})

type Search = Static<typeof Search>
/** What the runner bound for one run of the stage. */
type Run = { filter: FilterNode | null; tools: StageTools; within: readonly number[] | null }

export const featureSearchStage = defineStage({
  id: 'feature_search',
  category: 'filter',
  description: 'Finds documents by meaning, by words or by likeness, over one or several features.',
  icon: 'search',
  parameters: Parameters,
  normalize: normalizeFeatureSearch,
  featureNames({ searches }) {
    const names = Array.isArray(searches)
      ? searches.map((search) => (search as Search | null)?.feature_uri)
      : []
    return names.filter((name): name is string => typeof name === 'string')
  },

  async run({ parameters, candidates, filter, tools }) {
    const { searches, final_top_k, fusion, rrf_k } = parameters
    const within = candidates ? candidates.map((one) => one.document_seq) : null
    if (within?.length === 0) return { candidates: [] }
    if (searches.length === 0) return { candidates: await filterOnly(parameters, { filter, tools, within }) }

    const runs = await Promise.all(
      searches.map((search) => runSearch(search, parameters, { filter, tools, within })),
    )
    const found = runs.filter((run) => run !== null)
    if (found.length === 0) throw new KuraError('no_search_input')
    const lists = found.flatMap((run) => run.lists)
    const plans = [...new Set(found.flatMap((run) => run.plans))]
    const metadata = { plans, searches: found.length }
    const carried = new Map(candidates?.map((one) => [one.document_seq, one]))
    if (searches.length === 1) {
      const best = await bestOf(byScore(lists), final_top_k, tools)
      return { candidates: best.map((match) => carry(match, carried)), metadata }
    }
    const fused = await bestOf(fuse(lists, fusion, { rrf_k }), final_top_k, tools)
    return {
      candidates: fused.map(({ document_seq, score, scores }) => {
        const features = Object.fromEntries([...scores].map(([uri, own]) => [uri, { score: own }]))
        return { ...(carried.get(document_seq) ?? unscored(document_seq)), score, features }
      }),
      metadata,
    }
  },
})

/** One search: its score is the similarity itself. */
function byScore(lists: RankedList[]): FeatureMatch[] {
  return lists
    .flatMap((list) => list.matches)
    .sort((a, b) => b.score - a.score || a.document_seq - b.document_seq)
}

const carry = ({ document_seq, score }: FeatureMatch, carried: Map<number, Candidate>): Candidate => ({
  ...(carried.get(document_seq) ?? unscored(document_seq)),
  score,
})

/** The first `count` of a sorted list, equal scores by document id (contract); ids are read only where scores tie. */
async function bestOf<T extends FeatureMatch>(
  sorted: readonly T[],
  count: number,
  tools: StageTools,
): Promise<T[]> {
  const boundary = sorted[count - 1]?.score
  const reach =
    boundary === undefined ? sorted.length : sorted.findLastIndex((one) => one.score === boundary) + 1
  const wanted = sorted.slice(0, reach)
  const tied = wanted.filter(
    (one, i) => one.score === wanted[i - 1]?.score || one.score === wanted[i + 1]?.score,
  )
  if (tied.length === 0) return wanted
  const ids = await tools.ids(tied.map((one) => one.document_seq))
  const idOf = (one: T) => ids.get(one.document_seq) ?? ''
  return wanted.sort((a, b) => b.score - a.score || (idOf(a) < idOf(b) ? -1 : 1)).slice(0, count)
}

async function filterOnly(
  { collection_identifiers, final_top_k }: Static<typeof Parameters>,
  { filter, tools, within }: Run,
): Promise<Candidate[]> {
  if (filter === null) {
    throw new KuraError('bad_request', { reason: 'feature_search needs a search or a filter.' })
  }
  if (within) return (await tools.keep(within, filter)).slice(0, final_top_k).map(unscored)
  const { document_seqs } = await tools.scan({
    filter,
    collection_identifiers: collection_identifiers ?? null,
    limit_per_collection: FILTER_ONLY_PER_COLLECTION_MAX,
    limit: final_top_k,
  })
  return document_seqs.map(unscored)
}

/** The matches of one search, a list per index it touches; null when it has no input and is to be skipped. */
async function runSearch(
  search: Search,
  stage: Static<typeof Parameters>,
  run: Run,
): Promise<{ lists: RankedList[]; plans: string[] } | null> {
  const query = toQuery(search.query)
  if (query === null) {
    if (search.on_empty === 'skip') return null
    if (search.on_empty === 'error') throw new KuraError('no_search_input')
  }
  const effective: SearchQuery = query ?? { kind: 'random' }
  const scope = search.collection_identifiers ?? stage.collection_identifiers ?? null
  const features = run.tools.features(search.feature_uri ?? null, scope, modalityOf(effective))
  const own = search.filters
    ? parseFilter(search.filters, {
        profile: 'retrieval',
        unknown_operator: 'filter_operator_unknown',
        loc: ['searches', 'filters'],
      })
    : null
  const results = await Promise.all(
    features.map((feature) => searchFeature(feature, effective, search, allOf([run.filter, own]), run)),
  )
  // The same feature may live in several indexes (one an extractor): together they are one ranked list.
  const matches = results.flatMap((result) => result.matches)
  matches.sort((a, b) => b.score - a.score || a.document_seq - b.document_seq)
  const key = features[0]!.feature_uri
  return {
    lists: [{ key, weight: search.weight, matches: matches.slice(0, search.top_k) }],
    plans: results.map((result) => result.plan),
  }
}

async function searchFeature(
  feature: SearchableFeature,
  query: SearchQuery,
  { top_k, min_score }: Search,
  filter: FilterNode | null,
  { tools, within }: Run,
) {
  // One more than asked for: the reference document itself is taken out of the answer.
  const wanted = query.kind === 'document' ? top_k + 1 : top_k
  const { matches, plan, query_document_seq } = await tools.search({
    feature,
    query,
    top_k: wanted,
    filter,
    within,
  })
  const kept = matches.filter(
    ({ document_seq, score }) =>
      document_seq !== query_document_seq &&
      // Keyword scores have no upper bound, so a threshold of 0 to 1 means nothing for them.
      (feature.kind === 'lexical' || min_score === null || min_score === undefined || score >= min_score),
  )
  return { matches: kept.slice(0, top_k), plan }
}

function modalityOf(query: SearchQuery): string {
  if (query.kind === 'text') return 'text'
  return query.kind === 'content' ? 'image' : 'any'
}

/** Ranks that count. */
const RANKS = 10

/**
 * nDCG@10 with gains 2^rel - 1, as bench/baseline/cranfield.py has it; null for a query that nothing
 * is relevant to. `judged` is the relevance of every judged document.
 */
export function ndcg10(ranking: readonly string[], judged: ReadonlyMap<string, number>): number | null {
  const ideal = dcg([...judged.values()].sort((a, b) => b - a))
  if (ideal <= 0) return null
  return dcg(ranking.map((id) => judged.get(id) ?? 0)) / ideal
}

function dcg(relevances: readonly number[]): number {
  return relevances.slice(0, RANKS).reduce((sum, rel, i) => sum + (2 ** rel - 1) / Math.log2(i + 2), 0)
}

/** One search's matches, best first. */
export type RankedList = {
  key: string
  weight: number
  matches: readonly { document_seq: number; score: number }[]
}

export const FUSIONS = ['rrf', 'dbsf', 'weighted', 'max'] as const
export type Fusion = (typeof FUSIONS)[number]

export type Fused = { document_seq: number; score: number; scores: Map<string, number> }

/** Rank constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009). */
export const RRF_K = 60

/**
 * Merges ranked lists into one, best first, ties by document_seq. `scores` keeps what each list
 * gave, by its key. A list without a document contributes nothing to it.
 */
export function fuse(
  lists: readonly RankedList[],
  fusion: Fusion,
  { rrf_k = RRF_K }: { rrf_k?: number } = {},
): Fused[] {
  const fused = new Map<number, Fused>()
  for (const list of lists) {
    const contribution = contributionOf(list, fusion, rrf_k)
    list.matches.forEach(({ document_seq, score }, i) => {
      let entry = fused.get(document_seq)
      if (!entry) {
        entry = { document_seq, score: 0, scores: new Map() }
        fused.set(document_seq, entry)
      }
      const given = contribution(score, i + 1)
      entry.score =
        fusion === 'max'
          ? entry.scores.size === 0
            ? given
            : Math.max(entry.score, given)
          : entry.score + given
      const before = entry.scores.get(list.key)
      entry.scores.set(list.key, before === undefined ? score : Math.max(before, score))
    })
  }
  return [...fused.values()].sort((a, b) => b.score - a.score || a.document_seq - b.document_seq)
}

function contributionOf(
  { matches, weight }: RankedList,
  fusion: Fusion,
  rrf_k: number,
): (score: number, rank: number) => number {
  switch (fusion) {
    case 'rrf':
      return (_score, rank) => 1 / (rrf_k + rank)
    case 'weighted':
      return (score) => weight * score
    case 'max':
      return (score) => score
    case 'dbsf':
      return distributionBased(matches.map(({ score }) => score))
  }
}

/** Places a score between three standard deviations below and above its list's mean. */
function distributionBased(scores: number[]): (score: number) => number {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length
  const deviation = Math.sqrt(variance)
  if (!(deviation > 0)) return () => 0.5
  return (score) => Math.min(1, Math.max(0, (score - (mean - 3 * deviation)) / (6 * deviation)))
}

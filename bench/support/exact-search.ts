/** Positions of the `k` vectors with the highest dot product that pass, best first: the truth that recall is measured against. */
export function exactTop(
  vectors: readonly Float32Array[],
  query: ArrayLike<number>,
  k: number,
  passes: (i: number) => boolean,
): number[] {
  const best: { i: number; score: number }[] = []
  let worst = Number.NEGATIVE_INFINITY
  for (let i = 0; i < vectors.length; i += 1) {
    if (!passes(i)) continue
    const vector = vectors[i]!
    let score = 0
    for (let d = 0; d < vector.length; d += 1) score += vector[d]! * query[d]!
    if (best.length === k && score <= worst) continue
    best.push({ i, score })
    best.sort((a, b) => b.score - a.score)
    if (best.length > k) best.pop()
    if (best.length === k) worst = best[k - 1]!.score
  }
  return best.map(({ i }) => i)
}

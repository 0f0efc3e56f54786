/** A collection and the collections that it reads; sources outside of the graph are ignored. */
export type DagNode = { collection_id: string; source_collection_ids: readonly string[] }

/**
 * The tiers in which collections run (contract, tiered execution): each in the tier after the last of
 * its sources, which is its longest path from a root. Order within a tier is the order given.
 * Cycles cannot be made through the API: a source must exist before its reader and cannot change.
 */
export function tiersOf(roots: readonly string[], nodes: readonly DagNode[]): string[][] {
  const byId = new Map(nodes.map((node) => [node.collection_id, node]))
  const isRoot = new Set(roots)
  const known = new Map<string, number>()
  const tierOf = (id: string, path: readonly string[]): number => {
    const found = known.get(id)
    if (found !== undefined) return found
    if (path.includes(id))
      throw new Error(`Collections read each other in a circle: ${[...path, id].join(' → ')}.`)
    const sources = byId.get(id)!.source_collection_ids.filter((source) => byId.has(source))
    const tier = isRoot.has(id) ? 0 : 1 + Math.max(...sources.map((source) => tierOf(source, [...path, id])))
    known.set(id, tier)
    return tier
  }
  const tiers: string[][] = []
  for (const { collection_id } of nodes) {
    const tier = tierOf(collection_id, [])
    tiers[tier] = [...(tiers[tier] ?? []), collection_id]
  }
  return tiers
}

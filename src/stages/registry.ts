import { attributeFilterStage } from './attribute-filter.ts'
import { featureSearchStage } from './feature-search.ts'
import { limitStage } from './limit.ts'
import { sortAttributeStage } from './sort-attribute.ts'
import type { Stage } from './stage.ts'

/** Every stage, by id. A new one is a file and a line here. */
export const stages = createRegistry([
  attributeFilterStage,
  featureSearchStage,
  sortAttributeStage,
  limitStage,
])

function createRegistry(all: readonly unknown[]): ReadonlyMap<string, Stage> {
  const registry = new Map<string, Stage>()
  // Each definition keeps its own parameter type; the runner checks parameters before it hands them over.
  for (const stage of all as Stage[]) {
    if (registry.has(stage.id)) throw new Error(`Two stages are called ${stage.id}.`)
    registry.set(stage.id, stage)
  }
  return registry
}

import type { CompiledQuery } from 'kysely'
import { LruMap } from '../../lib/lru-map.ts'
import type { DbOrTrx } from './db.ts'

/** Stands in a compiled statement for a parameter that is known only when it runs. */
class Slot {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A parameter of a template, to be used where its value would be. */
export const slot = <T = unknown>(name: string): T => new Slot(name) as T

/** Filters of users make ever new shapes. */
const TEMPLATES_MAX = 500

/**
 * Statements that are built and compiled once a shape and run many times: on a hot path, building
 * a statement takes longer than running it.
 */
export class Templates {
  readonly #known = new LruMap<CompiledQuery>(TEMPLATES_MAX)

  /**
   * Runs the statement of this shape. `build` MUST give the same statement for equal shapes, with
   * `slot(name)` for every parameter that `values` names.
   */
  async run<Row>(
    db: DbOrTrx,
    shape: string,
    values: Record<string, unknown>,
    build: () => CompiledQuery<Row>,
  ): Promise<Row[]> {
    let template = this.#known.get(shape)
    if (!template) {
      template = build()
      this.#known.set(shape, template)
    }
    const parameters = template.parameters.map((value) =>
      value instanceof Slot ? values[value.name] : value,
    )
    const { rows } = await db.executeQuery({ ...template, parameters })
    return rows as Row[]
  }
}

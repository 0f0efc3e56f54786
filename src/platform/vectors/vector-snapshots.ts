import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Snapshots } from '../derived-index/kept-index.ts'
import {
  DamagedFileError,
  fingerprintOf,
  openSections,
  writeSections,
} from '../derived-index/section-file.ts'
import { SIMILARITIES } from './similarity.ts'
import { parseSignature } from './vector-feed.ts'
import { VectorGraph } from './vector-graph.ts'
import { VectorIndex } from './vector-index.ts'
import { VectorRows } from './vector-rows.ts'

/** Raise it when the meaning of the files changes: older ones are then not read. */
const FORMAT = 1
/** Files that the current description does not name are removed once they are this old. */
const ORPHAN_AGE_MS = 60_000

type Facts = {
  format: number
  signature: string
  applied_change: number
  slots: number
  collection_ids: string[]
  graph: { file: string; size: number; crc: number; slots: number } | null
}

/**
 * Snapshots of one vector index in a folder of its own: `rows.snapshot` holds vectors and directory
 * and names the graph file with its checksum, so replacing it replaces the snapshot as a whole.
 */
export class VectorSnapshots implements Snapshots<VectorIndex> {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async save(index: VectorIndex, applied_change: number, signature: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    // Everything that may change is taken before the first await; slots below `size` never change.
    const { rows, graph } = index
    const { collection_ids, seqs, collections, alive } = rows.directory()
    const vectors = rows.parts(seqs.length)
    const graphFile = graph ? `graph-${randomUUID()}` : undefined
    const graphSlots = graph?.size ?? 0
    if (graphFile) graph!.save(join(this.#folder, graphFile))
    const facts: Facts = {
      format: FORMAT,
      signature,
      applied_change,
      slots: seqs.length,
      collection_ids,
      graph: graphFile
        ? { file: graphFile, slots: graphSlots, ...(await fingerprintOf(join(this.#folder, graphFile))) }
        : null,
    }
    await writeSections(this.#path, facts, {
      seqs: [seqs],
      collections: [collections],
      alive: [alive],
      vectors,
    })
    await this.#removeOrphans(graphFile)
  }

  /**
   * The saved index, verified byte by byte; undefined when there is none of this signature. Throws
   * DamagedFileError for a file that cannot be trusted.
   */
  async load(signature: string): Promise<{ index: VectorIndex; applied_change: number } | undefined> {
    const file = await openSections(this.#path)
    if (!file) return undefined
    try {
      const facts = file.facts as Facts
      if (facts.format !== FORMAT || facts.signature !== signature) return undefined
      const directory = {
        collection_ids: facts.collection_ids,
        seqs: new Float64Array(facts.slots),
        collections: new Uint32Array(facts.slots),
        alive: new Uint8Array(facts.slots),
      }
      await file.readInto('seqs', [directory.seqs])
      await file.readInto('collections', [directory.collections])
      await file.readInto('alive', [directory.alive])
      const { dimensions, distance } = parseSignature(signature)
      const rows = new VectorRows(dimensions, SIMILARITIES[distance])
      rows.restore(directory)
      await file.readInto('vectors', rows.parts(facts.slots))
      return {
        index: new VectorIndex(rows, await this.#loadGraph(rows, facts.graph)),
        applied_change: facts.applied_change,
      }
    } finally {
      await file.close()
    }
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #loadGraph(rows: VectorRows, graph: Facts['graph']): Promise<VectorGraph | undefined> {
    if (!graph) return undefined
    const path = join(this.#folder, graph.file)
    const found = await fingerprintOf(path).catch((error: { code?: string }) => {
      if (error.code === 'ENOENT') throw new DamagedFileError('The graph file is missing.')
      throw error
    })
    if (found.size !== graph.size || found.crc !== graph.crc)
      throw new DamagedFileError('The graph file is damaged.')
    return VectorGraph.load(rows, path, graph.slots)
  }

  /** Other processes may be writing here as well, so only files of some age are taken for left over. */
  async #removeOrphans(current: string | undefined): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (name === current || name === ROWS_FILE) continue
      const path = join(this.#folder, name)
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }))
      if (Date.now() - mtimeMs > ORPHAN_AGE_MS) await rm(path, { force: true })
    }
  }

  get #path(): string {
    return join(this.#folder, ROWS_FILE)
  }
}

const ROWS_FILE = 'rows.snapshot'

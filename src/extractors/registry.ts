import { editDistance } from '../lib/edit-distance.ts'
import type { Extractor } from './extractor.ts'

/** What a registry needs to know of an extractor. */
type Entry = Pick<Extractor, 'name' | 'version'>

/** The feature extractors of this server by the names that clients use. */
export type Registry<E extends Entry = Extractor> = {
  readonly all: readonly E[]
  /**
   * `version` given: exactly that one. Else `name` may be `name_version`, `name@version`, or the bare
   * name, which means the newest version.
   */
  find(name: string, version?: string | null): E | undefined
  /** Names of registered extractors that the sender of an unknown name may have meant, best first. */
  didYouMean(name: string): string[]
}

/** Names that guides mention and no version ever had, and the extractors that do what they promise. */
const NAMED_BUT_NOT_REAL: ReadonlyMap<string, readonly string[]> = new Map(
  Object.entries({
    video_extractor: ['multimodal_extractor'],
    scene_extractor: ['multimodal_extractor'],
    clip_vit_l_14: ['image_extractor', 'multimodal_extractor'],
    clip_extractor: ['image_extractor', 'multimodal_extractor'],
    face_detector: ['face_identity_extractor'],
    face_extractor: ['face_identity_extractor'],
    pdf_extractor: ['document_graph_extractor', 'text_extractor'],
    document_extractor: ['document_graph_extractor', 'text_extractor'],
    table_extractor: ['document_graph_extractor'],
    splade_extractor: ['text_extractor'],
    colbert_extractor: ['text_extractor'],
  }),
)

const SUGGESTIONS_MAX = 3

/** The catalogue id, for example `text_extractor_v1`; it is part of every document id. */
export const extractorId = ({ name, version }: Entry) => `${name}_${version}`

/** Throws when two extractors share name and version. */
export function createRegistry<E extends Entry>(extractors: readonly E[]): Registry<E> {
  const byId = new Map<string, E>()
  for (const extractor of extractors) {
    const id = extractorId(extractor)
    if (byId.has(id)) throw new Error(`Two feature extractors are registered as ${id}.`)
    byId.set(id, extractor)
  }
  const newest = newestByName(extractors)
  return {
    all: [...extractors],
    find(name, version) {
      if (version) return byId.get(`${name}_${version}`)
      return newest.get(name) ?? byId.get(name.replace('@', '_'))
    },
    didYouMean: (name) => suggestions(name, [...newest.keys()]),
  }
}

function newestByName<E extends Entry>(extractors: readonly E[]): Map<string, E> {
  const newest = new Map<string, E>()
  for (const extractor of extractors) {
    const known = newest.get(extractor.name)
    if (!known || isNewer(extractor.version, known.version)) newest.set(extractor.name, extractor)
  }
  return newest
}

/** `v10` is newer than `v2`. Asked only where two versions exist: loading the collation takes 30 ms. */
const isNewer = (version: string, than: string) => version.localeCompare(than, 'en', { numeric: true }) > 0

function suggestions(sent: string, known: readonly string[]): string[] {
  const name = sent.trim().toLowerCase()
  const bare = name.replace(/[@_]v\d+$/, '')
  const meant = NAMED_BUT_NOT_REAL.get(name) ?? NAMED_BUT_NOT_REAL.get(bare)
  if (meant) return meant.filter((candidate) => known.includes(candidate))
  return known
    .map((candidate) => ({ candidate, distance: editDistance(stem(bare), stem(candidate)) }))
    .filter(({ candidate, distance }) => distance <= stem(candidate).length / 2)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SUGGESTIONS_MAX)
    .map(({ candidate }) => candidate)
}

/** Without the ending that most names share, which would make them all alike. */
const stem = (name: string) => name.slice(0, 64).replace(/[-_ ]?extractors?$/, '')

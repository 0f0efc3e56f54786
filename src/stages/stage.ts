import type { Static, TObject } from 'typebox'
import type { FilterNode } from '../core/filters/ast.ts'
import type { JsonObject } from '../core/json.ts'
import type { StageCategory } from '../core/retrievers/stage-definition.ts'

/** A document on its way through the pipeline. Its fields are read when a stage or the answer needs them. */
export type Candidate = {
  document_seq: number
  score: number
  /** Scores by name, for stages that add their own. */
  scores: Record<string, number>
  /** Each search's own score, by feature URI. */
  features: Record<string, { score: number }>
}

/** A feature that can be searched, with the collections in scope that have it. */
export type SearchableFeature = {
  feature_uri: string
  kind: 'vector' | 'lexical'
  collection_ids: string[]
  /** What its model can read as a query. */
  modalities: readonly string[]
}

/** A query in the form that the feature's index takes. */
export type SearchQuery =
  | { kind: 'text'; text: string }
  | { kind: 'vector'; vector: number[] }
  /** Media to embed: a URL, a data URI or base64. */
  | { kind: 'content'; content: string }
  | { kind: 'document'; collection_id: string | null; document_id: string }
  | { kind: 'random' }

export type FeatureSearch = {
  feature: SearchableFeature
  query: SearchQuery
  top_k: number
  filter: FilterNode | null
  /** Search only among these documents; null searches all in scope. */
  within: readonly number[] | null
}

export type FeatureMatch = { document_seq: number; score: number }

/**
 * What stages may ask of the warehouse. Tenant, collections and the caller's global filter are
 * bound into it: a stage cannot reach past them.
 */
export type StageTools = {
  /** The features that a name means in these collections (all in scope when null); throws `feature_not_found`. */
  features(
    name: string | null,
    collection_identifiers: readonly string[] | null,
    modality: string,
  ): SearchableFeature[]
  search(
    search: FeatureSearch,
  ): Promise<{ matches: FeatureMatch[]; plan: string; query_document_seq: number | null }>
  /** Documents of the collections that pass the filter, newest first. */
  scan(options: {
    filter: FilterNode | null
    collection_identifiers: readonly string[] | null
    limit_per_collection: number
    limit: number
  }): Promise<{ document_seqs: number[]; truncated: boolean }>
  /** Those that pass the filter, in their order. */
  keep(document_seqs: readonly number[], filter: FilterNode): Promise<number[]>
  /** Document ids by number, which break ties of equal scores. */
  ids(document_seqs: readonly number[]): Promise<Map<number, string>>
  /** Root fields, with `_internal`, of documents by their number. */
  fields(document_seqs: readonly number[]): Promise<Map<number, JsonObject>>
}

export type StageContext<P> = {
  parameters: P
  /** Null before the first stage has produced a set. */
  candidates: Candidate[] | null
  /** Filters that the runner folded into this stage: pre_filters, the global filter, a preceding attribute_filter. */
  filter: FilterNode | null
  inputs: Record<string, unknown>
  tools: StageTools
  signal: AbortSignal
}

export type StageResult = {
  candidates: Candidate[]
  /** Goes to the stage statistics. */
  metadata?: JsonObject
  /** The stage degraded but the run goes on. */
  error?: string
}

/** A retriever stage: one file and one registry line make a new one. */
export type Stage<P extends TObject = TObject> = {
  id: string
  category: StageCategory
  description: string
  icon: string
  parameters: P
  /** Rewrites spellings that clients send into the declared parameters; runs before they are checked. */
  normalize?(parameters: Record<string, unknown>): Record<string, unknown>
  /** Rules a schema cannot say; called with rendered parameters. Throws KuraError. */
  check?(parameters: Static<P>): void
  /** Feature names inside untemplated parameters, for checks when a retriever is saved. */
  featureNames?(parameters: Record<string, unknown>): string[]
  run(context: StageContext<Static<P>>): Promise<StageResult>
}

export function defineStage<P extends TObject>(stage: Stage<P>): Stage<P> {
  return stage
}

/** A candidate that nothing has scored yet. */
export function unscored(document_seq: number): Candidate {
  return { document_seq, score: 0, scores: {}, features: {} }
}

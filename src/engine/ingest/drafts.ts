import type { CollectionConfig } from '../../core/collections/config.ts'
import { documentId, position } from '../../core/collections/identity.ts'
import { type MappedInput, mapsSeveralInputs } from '../../core/collections/mapping.ts'
import { passthroughFields } from '../../core/collections/passthrough.ts'
import { fileAddress } from '../../core/file-address.ts'
import { isObject, type JsonObject } from '../../core/json.ts'
import { type Extracted, type Extractor, type GeneratedFile, RowError } from '../../extractors/extractor.ts'
import type { StagedFile } from '../../platform/files/files.ts'
import { generatedBlob, keptBlobs, sourceBlobs } from './document-blobs.ts'
import { internalOf } from './internal.ts'
import { cleaned } from './json-text.ts'
import type { SourceRow } from './rows.ts'

/** A document ready to be written; times and its number come with the write. */
export type Draft = {
  document_id: string
  row_key: string
  root_object_id: string | null
  root_bucket_id: string | null
  source_document_id: string | null
  payload: JsonObject
  internal: JsonObject
  document_blobs: JsonObject[]
  /** By storage name. */
  vectors: Record<string, Float32Array>
  files: StagedFile[]
}

export type DraftContext = {
  config: CollectionConfig
  extractor: Extractor
  batch_id: string
  tier_num: number
  include_processing_history: boolean
  /** When the row was processed. */
  now: string
  /** Makes the bytes of a generated file durable. */
  stage(file: GeneratedFile): Promise<StagedFile>
}

export type RowOutput = { mapped: MappedInput; extracted: Extracted[] }

/** The documents of one row. Throws a RowError (`validation`) when a required field is missing. */
export async function draftsOf(
  context: DraftContext,
  row: SourceRow,
  outputs: readonly RowOutput[],
  copied_vectors: Record<string, Float32Array>,
): Promise<Draft[]> {
  const drafts: Draft[] = []
  for (const { mapped, extracted } of outputs) {
    const { fields, missing_required } = passthroughFields(context.config, row.record, mapped)
    if (missing_required.length > 0)
      throw new RowError('validation', `Required fields are missing: ${missing_required.join(', ')}.`)
    for (const one of extracted)
      drafts.push(await draftOf(context, { row, mapped, passed: fields, extracted: one, copied_vectors }))
  }
  return distinct(drafts)
}

type DraftInput = {
  row: SourceRow
  mapped: MappedInput
  passed: JsonObject
  extracted: Extracted
  copied_vectors: Record<string, Float32Array>
}

async function draftOf(context: DraftContext, input: DraftInput): Promise<Draft> {
  const { config, extractor } = context
  const { row, mapped, passed, extracted, copied_vectors } = input
  const { feature_extractor_id } = config.feature_extractor
  const pos = position(extracted.fields, {
    position_fields: extractor.position_fields,
    input_key: mapsSeveralInputs(config) ? mapped.input_key : null,
    blob_ordinal: mapped.blob_ordinal,
  })
  const document_id = documentId(row.row_key, feature_extractor_id, config.collection_id, pos)
  const generated = await stageAll(context, extracted.files ?? [])
  const payload = merged(passed, { ...extracted.fields, ...generated.fields })
  const missing = extracted.missing ?? []
  payload.__fully_enriched = missing.length === 0
  payload.__missing_features = missing.map(({ feature }) => feature)
  payload.__pipeline_version = config.schema_version
  return {
    document_id,
    row_key: row.row_key,
    root_object_id: row.root_object_id,
    root_bucket_id: row.root_bucket_id,
    source_document_id: row.record.kind === 'document' ? row.record.document_id : null,
    payload: cleaned(payload),
    internal: cleaned(internalOf(context, row, mapped, { document_id, metadata: extracted.metadata ?? {} })),
    document_blobs: [...generated.blobs, ...sourceBlobs(row, mapped), ...keptBlobs(row, payload)],
    vectors: { ...copied_vectors, ...byStorageName(extractor, config, extracted.vectors) },
    files: generated.files,
  }
}

/** The extractor's fields win; two objects of one name (`metadata`) come together. */
function merged(passed: JsonObject, extracted: JsonObject): JsonObject {
  const result: JsonObject = { ...passed, ...extracted }
  for (const [name, value] of Object.entries(extracted)) {
    const below = passed[name]
    if (isObject(below) && isObject(value)) result[name] = { ...below, ...value } as JsonObject
  }
  return result
}

function byStorageName(
  extractor: Extractor,
  { feature_extractor }: CollectionConfig,
  vectors: Record<string, Float32Array>,
): Record<string, Float32Array> {
  const outputs = extractor.vectors(feature_extractor.parameters)
  return Object.fromEntries(
    outputs.flatMap(({ name, storage_name }) => (vectors[name] ? [[storage_name, vectors[name]]] : [])),
  )
}

async function stageAll({ stage, now }: DraftContext, files: readonly GeneratedFile[]) {
  const staged: StagedFile[] = []
  const fields: JsonObject = {}
  const blobs: JsonObject[] = []
  for (const file of files) {
    const stored = await stage(file)
    staged.push(stored)
    fields[file.output_field] = fileAddress(stored.file_id)
    blobs.push(generatedBlob(file, stored, now))
  }
  return { files: staged, fields, blobs }
}

/** Equal places are one document; the later output counts. */
function distinct(drafts: readonly Draft[]): Draft[] {
  const byId = new Map(drafts.map((draft) => [draft.document_id, draft]))
  return byId.size === drafts.length ? [...drafts] : [...byId.values()]
}

import { KuraError } from '../errors.ts'
import type { FeatureExtractorConfig, FieldsSchema } from './config.ts'
import { parseFieldPath } from './field-path.ts'
import { SYSTEM_FIELDS, targetOf } from './passthrough.ts'

export type PassthroughCheck = {
  config: Pick<FeatureExtractorConfig, 'feature_extractor_name' | 'field_passthrough'>
  /** Null: the source has no schema. */
  schema: FieldsSchema | null
  /** Names that the extractor writes: output fields and storage names of vectors. */
  outputs: readonly string[]
  /** Vectors of the source that this extractor cannot copy. */
  unreadable: readonly string[]
}

/** Refuses fields that the source lacks and targets that would overwrite something (contract, field passthrough). */
export function checkPassthrough({ config, schema, outputs, unreadable }: PassthroughCheck): void {
  const { field_passthrough } = config
  if (field_passthrough.length === 0) return
  if (schema === null) throw new KuraError('bucket_schema_required')
  const taken = new Set<string>()
  for (const entry of field_passthrough) {
    const { source_path: path } = entry
    const { segments } = parseFieldPath(path, schema)
    const available = Object.keys(schema.properties).filter((name) => !unreadable.includes(name))
    if (!available.includes(segments[0]!))
      throw new KuraError('field_passthrough_not_found', { path, available })
    const target = targetOf(entry)
    const reason = conflict(target, outputs, taken)
    if (reason) throw new KuraError('field_passthrough_conflict', { target, reason })
    taken.add(target)
  }
}

function conflict(target: string, outputs: readonly string[], taken: ReadonlySet<string>): string | null {
  const [root] = target.split('.') as [string]
  if (target === 'metadata' || SYSTEM_FIELDS.has(root) || root.startsWith('__'))
    return 'it is a name of the system'
  if (outputs.includes(root)) return 'the extractor writes this field'
  if (taken.has(target)) return 'it is used twice'
  return null
}

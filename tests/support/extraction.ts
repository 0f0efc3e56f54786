import type { TObject } from 'typebox'
import { validator } from '../../src/core/validation.ts'
import type { ExtractContext, Extracted, Extractor, InputValue } from '../../src/extractors/extractor.ts'
import { mimeOfFilename } from '../../src/platform/media/mime.ts'
import { type FakeModels, fakeModels } from './fake-models.ts'

/** An input of type file, with the MIME type of its name. */
export function fileInput(
  filename: string,
  bytes: Uint8Array,
  type: 'text' | 'image' | 'pdf' = 'text',
): InputValue {
  return {
    kind: 'file',
    type,
    mime_type: mimeOfFilename(filename) ?? 'application/octet-stream',
    size_bytes: bytes.length,
    filename,
    bytes: async () => bytes,
  }
}

export const textInput = (text: string): InputValue => ({ kind: 'text', text })

/** What the engine hands to an extractor for one row; parameters get their defaults as in a collection. */
export function contextOf<P extends TObject>(
  extractor: Extractor<P>,
  input: InputValue,
  parameters: Record<string, unknown> = {},
  models: FakeModels = fakeModels(),
  signal: AbortSignal = new AbortController().signal,
): ExtractContext<never> {
  const filled = validator(extractor.parameters)(parameters, [], [])
  return {
    input_key: Object.keys(extractor.inputs)[0] ?? '',
    input,
    parameters: filled as never,
    models,
    signal,
  }
}

/** All documents of one row. */
export async function extractAll(extractor: Extractor, context: ExtractContext<never>): Promise<Extracted[]> {
  const documents: Extracted[] = []
  for await (const document of extractor.extract(context)) documents.push(document)
  return documents
}

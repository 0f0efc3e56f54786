import { KuraError } from '../core/errors.ts'
import { MediaError } from '../platform/media/media-error.ts'
import { RowError, type RowErrorType } from './extractor.ts'

/**
 * What a caught error means for the row in which it happened: its category decides whether the row is
 * tried again. An abort is no error of the row; callers check their signal first.
 */
export function toRowError(error: unknown): RowError {
  if (error instanceof RowError) return error
  if (error instanceof MediaError)
    return new RowError('validation', error.message, {
      cause: error,
      ...(error.suggestion && { recovery_suggestion: error.suggestion }),
    })
  if (error instanceof KuraError) return fromKuraError(error)
  const message = error instanceof Error ? error.message : String(error)
  return new RowError('runtime', `Extraction failed: ${message}`, { cause: error })
}

const CATEGORIES: Partial<Record<KuraError['code'], { type: RowErrorType; suggestion: string }>> = {
  inference_provider_not_configured: {
    type: 'dependency',
    suggestion: 'Bind a model to this slot in the server settings, then retry the batch.',
  },
  inference_model_changed: {
    type: 'dependency',
    suggestion: 'Bind the former model again, or re-extract the collection with the new one.',
  },
  model_damaged: {
    type: 'dependency',
    suggestion: 'Restore the files of the model, then retry the batch.',
  },
  modality_not_supported: {
    type: 'dependency',
    suggestion: 'Bind a model that reads this kind of content to the slot.',
  },
}

function fromKuraError(error: KuraError): RowError {
  const known = CATEGORIES[error.code]
  if (known)
    return new RowError(known.type, error.message, { cause: error, recovery_suggestion: known.suggestion })
  const type = error.row.retryable ? 'network' : error.row.status < 500 ? 'validation' : 'runtime'
  return new RowError(type, error.message, { cause: error })
}

/** Whether all rows that need the same model would fail alike, so that trying them one by one is no use. */
export function concernsEveryRow(error: RowError): boolean {
  return error.isTransient || error.type === 'dependency' || error.type === 'authentication'
}

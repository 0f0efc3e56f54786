import { KuraError } from '../core/errors.ts'
import { isObject } from '../core/json.ts'
import type { SearchQuery } from './stage.ts'

/** A string that can only be media: shorthand queries of it are content, not words. */
const looksLikeMedia = (text: string) => /^(?:data:|s3:\/\/|gs:\/\/|kura:\/\/)/i.test(text)

/**
 * The query of one search in any accepted spelling (contract, feature_search); null when it is
 * empty, which `on_empty` decides about.
 */
export function toQuery(query: unknown): SearchQuery | null {
  if (query === undefined || query === null || query === '') return null
  if (typeof query === 'string')
    return looksLikeMedia(query) ? { kind: 'content', content: query } : textQuery(query)
  if (Array.isArray(query)) return vectorQuery(query)
  if (!isObject(query)) throw invalid('it must be text, a vector or an object with input_mode')
  switch (query.input_mode) {
    case 'text':
      return textQuery(query.value ?? query.text)
    case 'vector':
      return vectorQuery(query.value ?? query.vector)
    case 'content':
      return contentQuery(query.value ?? query.content)
    case 'document':
      return documentQuery(query.document_ref ?? query.value)
    case undefined:
    case null:
      return shorthand(query)
    default:
      throw invalid(
        `input_mode must be text, content, vector or document, not ${JSON.stringify(query.input_mode)}`,
      )
  }
}

function shorthand(query: Record<string, unknown>): SearchQuery | null {
  if (query.text !== undefined) return textQuery(query.text)
  if (query.url !== undefined || query.base64 !== undefined) return contentQuery(query)
  if (query.image !== undefined) return contentQuery(query.image)
  if (query.document_ref !== undefined) return documentQuery(query.document_ref)
  if (query.document_id !== undefined) return documentQuery(query)
  if (query.vector !== undefined) return vectorQuery(query.vector)
  if (query.value !== undefined) return toQuery(query.value)
  throw invalid('it has none of text, url, base64, vector, document_ref')
}

function textQuery(value: unknown): SearchQuery | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'number' || typeof value === 'boolean') return { kind: 'text', text: String(value) }
  if (typeof value !== 'string') throw invalid('a text query must be a string')
  return value.trim() === '' ? null : { kind: 'text', text: value }
}

/** `[n]` or `[[n]]`; every value must be a finite number. */
function vectorQuery(value: unknown): SearchQuery | null {
  if (value === undefined || value === null) return null
  const vector = Array.isArray(value) && value.length === 1 && Array.isArray(value[0]) ? value[0] : value
  if (!Array.isArray(vector)) throw invalid('a vector must be a list of numbers')
  if (vector.length === 0) return null
  if (!vector.every((one) => typeof one === 'number' && Number.isFinite(one)))
    throw new KuraError('vector_invalid')
  return { kind: 'vector', vector }
}

function contentQuery(value: unknown): SearchQuery | null {
  if (value === undefined || value === null || value === '') return null
  if (Array.isArray(value)) return vectorQuery(value)
  if (typeof value === 'string') return { kind: 'content', content: value }
  if (isObject(value)) {
    const content = value.url ?? value.base64
    if (typeof content === 'string' && content !== '') return { kind: 'content', content }
    if (content === undefined || content === null || content === '') return null
  }
  throw invalid('content must be a URL, a data URI or base64')
}

function documentQuery(value: unknown): SearchQuery | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string') return { kind: 'document', collection_id: null, document_id: value }
  if (!isObject(value)) throw invalid('document_ref must hold collection_id and document_id')
  const { collection_id, document_id } = value
  if (typeof document_id !== 'string' || document_id === '') return null
  return {
    kind: 'document',
    collection_id: typeof collection_id === 'string' ? collection_id : null,
    document_id,
  }
}

const invalid = (reason: string) =>
  new KuraError('bad_request', { reason: `The search query cannot be used: ${reason}.` })

import { KuraError } from '../../core/errors.ts'
import type { UpdateCollectionBody } from './schemas.ts'

const ATTACHMENTS = [
  'taxonomy_applications',
  'cluster_applications',
  'alert_applications',
  'retriever_enrichments',
] as const

/**
 * Throws `not_enabled` for work that this server would never do: a collection that names it and is
 * accepted would silently go without it. Empty lists are fine, they are what clients send by default.
 */
export function refuseAttachments(
  body: Pick<UpdateCollectionBody, (typeof ATTACHMENTS)[number] | 'schedule'>,
): void {
  if (body.schedule) throw new KuraError('not_enabled', { feature: 'schedule' })
  for (const feature of ATTACHMENTS)
    if (body[feature] && body[feature].length > 0) throw new KuraError('not_enabled', { feature })
}

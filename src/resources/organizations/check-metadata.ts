import { valueError } from '../../core/errors.ts'

const METADATA_BYTES_MAX = 16 * 1024

/** Metadata of organizations and users is read with every answer about them, so it stays small. 422. */
export function checkMetadata(metadata: unknown): void {
  if (metadata && Buffer.byteLength(JSON.stringify(metadata)) > METADATA_BYTES_MAX)
    throw valueError(['body', 'metadata'], `The metadata may have at most ${METADATA_BYTES_MAX} bytes`)
}

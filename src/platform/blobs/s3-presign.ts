import type { S3Client } from '@aws-sdk/client-s3'
import { checkBlobKey } from './blob-keys.ts'
import type { BlobPresigner } from './blobs.ts'
import { s3Client, s3StorageClass } from './s3-bucket.ts'
import type { S3Settings } from './s3-settings.ts'

type Signer = {
  sdk: typeof import('@aws-sdk/client-s3')
  client: S3Client
  getSignedUrl: typeof import('@aws-sdk/s3-request-presigner').getSignedUrl
}

/** Addresses of the store itself, signed with the server's own access key. */
export class S3Presigner implements BlobPresigner {
  readonly #settings: S3Settings
  #opened: Promise<Signer> | undefined

  constructor(settings: S3Settings) {
    this.#settings = settings
  }

  async put(
    key: string,
    options: { expires_in_seconds: number; mime_type: string; storage_class?: string | null },
  ): Promise<string> {
    const { sdk, client, getSignedUrl } = await this.#open()
    const StorageClass = s3StorageClass(options.storage_class)
    const command = new sdk.PutObjectCommand({
      ...this.#at(key),
      ContentType: options.mime_type,
      ...(StorageClass && { StorageClass }),
    })
    return getSignedUrl(client, command, {
      expiresIn: options.expires_in_seconds,
      // Signed, so that the store refuses bytes that are sent as another type.
      signableHeaders: new Set(['host', 'content-type']),
    })
  }

  async get(
    key: string,
    options: { expires_in_seconds: number; mime_type: string; filename: string | null },
  ): Promise<string> {
    const { sdk, client, getSignedUrl } = await this.#open()
    const command = new sdk.GetObjectCommand({
      ...this.#at(key),
      ResponseContentType: options.mime_type,
      ...(options.filename !== null && { ResponseContentDisposition: attachment(options.filename) }),
    })
    return getSignedUrl(client, command, { expiresIn: options.expires_in_seconds })
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + checkBlobKey(key) }
  }

  async #open(): Promise<Signer> {
    this.#opened ??= Promise.all([
      s3Client(this.#settings, this.#settings.public_endpoint ?? this.#settings.endpoint),
      import('@aws-sdk/s3-request-presigner'),
    ]).then(([{ sdk, client }, { getSignedUrl }]) => ({ sdk, client, getSignedUrl }))
    return this.#opened
  }
}

/** RFC 6266, with the exact name in its encoded form only: the answer's headers must be ASCII. */
function attachment(filename: string): string {
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename*=UTF-8''${encoded}`
}

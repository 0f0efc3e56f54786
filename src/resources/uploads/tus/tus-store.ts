import type { Readable } from 'node:stream'
import { DataStore, Upload } from '@tus/utils'
import { KuraError } from '../../../core/errors.ts'
import { isOpen, type UploadRow } from '../record.ts'
import type { ResumableUploads } from './resumable.ts'

type Options = {
  uploads: ResumableUploads
  /** Milliseconds after its creation an upload expires. */
  expiration_ms: number
  /** Called with every upload that a request has looked at, before it answers. */
  onState(row: UploadRow): void
}

/** The bytes of resumable uploads, for the library that speaks the protocol. */
export class TusStore extends DataStore {
  readonly #uploads: ResumableUploads
  readonly #expiration_ms: number
  readonly #onState: (row: UploadRow) => void

  constructor({ uploads, expiration_ms, onState }: Options) {
    super()
    this.#uploads = uploads
    this.#expiration_ms = expiration_ms
    this.#onState = onState
    this.extensions = ['creation', 'creation-with-upload', 'expiration', 'termination']
  }

  /** The row was inserted when the upload got its name. */
  override async create(upload: Upload): Promise<Upload> {
    await this.#uploads.begin(upload.id)
    return upload
  }

  override async write(stream: Readable, id: string, offset: number): Promise<number> {
    return this.#uploads.append(id, offset, stream)
  }

  override async getUpload(id: string): Promise<Upload> {
    let { row, offset, size, metadata } = await this.#uploads.state(id)
    if (row.status === 'FAILED' || row.status === 'CANCELED')
      throw new KuraError('upload_not_confirmable', { status: row.status })
    // The last bytes arrived and their request died before it could confirm.
    if (offset === size && isOpen(row)) row = await this.#uploads.finish(id)
    this.#onState(row)
    return new Upload({ id, size, offset, metadata, creation_date: row.created_at })
  }

  override async remove(id: string): Promise<void> {
    await this.#uploads.remove(id)
  }

  override getExpiration(): number {
    return this.#expiration_ms
  }
}

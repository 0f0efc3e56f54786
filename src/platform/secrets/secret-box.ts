import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { KuraError } from '../../core/errors.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16
const VERSION = 'v1'

/**
 * Encrypts what must be read back (credentials, webhook secrets) with AES-256-GCM (NIST SP 800-38D).
 * A sealed text is bound to its `context` (table, tenant and id of its row): moved to another row it
 * does not open.
 */
export class SecretBox {
  readonly #key: Buffer

  /** `master_key`: any text of at least 16 characters with the entropy of a key. */
  constructor(master_key: string) {
    this.#key = Buffer.from(hkdfSync('sha256', master_key, '', 'kura secrets v1', 32))
  }

  seal(plain: string, context: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(context))
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return `${VERSION}.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')}`
  }

  /** Throws `secret_unreadable` when the key is another, or the text was changed or moved. */
  open(sealed: string, context: string): string {
    const bytes = Buffer.from(sealed.slice(VERSION.length + 1), 'base64url')
    if (!sealed.startsWith(`${VERSION}.`) || bytes.length < NONCE_BYTES + TAG_BYTES) throw unreadable()
    const nonce = bytes.subarray(0, NONCE_BYTES)
    const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(context))
      .setAuthTag(tag)
    try {
      const head = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES))
      return Buffer.concat([head, decipher.final()]).toString('utf8')
    } catch (cause) {
      throw unreadable(cause)
    }
  }
}

const unreadable = (cause?: unknown) => new KuraError('secret_unreadable', {}, { cause })

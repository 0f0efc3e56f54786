import { createHash, randomBytes, randomUUID } from 'node:crypto'

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Random characters of `[a-z0-9]`, without modulo bias. */
export function randomText(length: number, alphabet = ALPHABET): string {
  const limit = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte >= limit) continue
      text += alphabet[byte % alphabet.length]
      if (text.length === length) break
    }
  }
  return text
}

const randomHex = (length: number) =>
  randomBytes(Math.ceil(length / 2))
    .toString('hex')
    .slice(0, length)

/** Ids in the forms of the contract. */
export const newId = {
  organization: () => `org_${randomText(13)}`,
  internal: () => `int_${randomText(24)}`,
  namespace: () => `ns_${randomHex(10)}`,
  bucket: () => `bkt_${randomText(12)}`,
  object: () => `obj_${randomText(12)}`,
  blob: () => `blob_${randomText(12)}`,
  batch: () => `btch_${randomText(12)}`,
  collection: () => `col_${randomText(10)}`,
  document: () => `doc_${randomHex(24)}`,
  generatedDocument: () => `gen_${randomHex(24)}`,
  retriever: () => `ret_${randomHex(14)}`,
  execution: () => `exec_${randomText(16)}`,
  task: () => randomUUID(),
  tierTask: () => `task_${randomText(12)}`,
  job: () => `job_${randomText(16)}`,
  failure: () => `fail_${randomText(12)}`,
  key: () => `key_${randomText(15)}`,
  user: () => `usr_${randomText(15)}`,
  file: () => `file_${randomText(20)}`,
  request: () => `req_${randomText(16)}`,
}

export const apiKey = () =>
  `sk_${randomText(43, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')}`

export const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

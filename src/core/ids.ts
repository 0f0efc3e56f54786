import { hash, randomBytes, randomUUID } from 'node:crypto'

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Asking the system for random bytes costs more than an id, so they are fetched in bulk and used once. */
const POOL_BYTES = 4096
let pool: Uint8Array = new Uint8Array()
let used = 0

function randomByte(): number {
  if (used === pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  return pool[used++]!
}

/** Random characters of `[a-z0-9]`, without modulo bias. */
export function randomText(length: number, alphabet = ALPHABET): string {
  const limit = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    const byte = randomByte()
    if (byte < limit) text += alphabet[byte % alphabet.length]
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
  upload: () => `upl_${randomText(16)}`,
  connection: () => `conn_${randomText(15)}`,
  sync: () => `sync_${randomText(12)}`,
  webhook: () => `wh_${randomHex(16)}`,
  event: () => `evt_${randomText(16)}`,
  delivery: () => `dlv_${randomText(16)}`,
  audit: () => `aud_${randomText(16)}`,
  file: () => `file_${randomText(20)}`,
  request: () => `req_${randomText(16)}`,
}

export const apiKey = () =>
  `sk_${randomText(43, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789')}`

export const sha256 = (data: string | Uint8Array) => hash('sha256', data, 'hex')

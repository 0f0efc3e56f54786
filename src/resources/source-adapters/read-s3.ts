import { isObject } from '../../core/json.ts'
import type { S3AdapterConfig } from './config.ts'
import { eventKey, type Item, mapFields, type Reading } from './item.ts'

type Record_ = {
  eventName: string
  eventTime: string
  s3: {
    bucket: { name: string }
    object: { key: string; sequencer?: unknown; eTag?: unknown; versionId?: unknown }
  }
}

/**
 * Reads notifications as Amazon S3, MinIO and versitygw send them: `{Records:[…]}`
 * (S3 event message structure 2.x). Test events and other records are ignored.
 */
export function readS3(config: S3AdapterConfig, body: unknown): Reading {
  const records: unknown[] = isObject(body) && Array.isArray(body.Records) ? body.Records : []
  const read = records.map((record) => (isRecord(record) ? readRecord(config, record) : null))
  const items = read.filter((item) => item !== null)
  return { items, ignored: read.length - items.length }
}

function readRecord(config: S3AdapterConfig, record: Record_): Item | null {
  const { bucket, object } = record.s3
  const key = decodeKey(object.key)
  const action = actionOf(record.eventName)
  const isWanted =
    action !== null &&
    !(action === 'remove' && config.on_removed === 'ignore') &&
    key.startsWith(config.prefix ?? '') &&
    !key.endsWith('/') &&
    // Can be written as %00, and no database column or address holds it.
    !key.includes('\0') &&
    (!config.suffixes?.length || config.suffixes.some((suffix) => key.endsWith(suffix)))
  if (!isWanted) return null
  const source_key = `${bucket.name}/${key}`
  const sequencer = sequencerOf(object.sequencer, record.eventTime)
  const event_id = eventKey(source_key, action, sequencer, object.eTag, object.versionId)
  const data = addressOf(config, bucket.name, key)
  const decoded = { ...record, s3: { ...record.s3, object: { ...object, key } } }
  return {
    event_key: event_id,
    event_id,
    action,
    source_key,
    sequencer,
    fields: {
      ...mapFields(decoded, config.fields ?? {}),
      // Without a property it goes where it fits.
      ...(!config.property && action === 'put' && { blob: { data } }),
    },
    blobs: config.property && action === 'put' ? [{ property: config.property, data }] : [],
  }
}

function actionOf(eventName: string): Item['action'] | null {
  const [kind] = eventName.replace(/^s3:/, '').split(':')
  if (kind === 'ObjectCreated') return 'put'
  return kind === 'ObjectRemoved' ? 'remove' : null
}

/** Keys come URL-encoded, blanks as plus signs. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch (error) {
    if (error instanceof URIError) return key
    throw error
  }
}

/** Hexadecimal, compared from the left once both are of equal length; without one the time has to do. */
function sequencerOf(sequencer: unknown, eventTime: string): string {
  return typeof sequencer === 'string' && /^[0-9A-Fa-f]{1,64}$/.test(sequencer)
    ? `seq:${sequencer.toLowerCase().padStart(64, '0')}`
    : `time:${eventTime}`
}

/** Named as an address, because a key may hold blanks. */
function addressOf({ url_template }: S3AdapterConfig, bucket: string, key: string): { url: string } {
  const isWeb = /^https?:/i.test(url_template)
  const path = isWeb ? key.split('/').map(encodeURIComponent).join('/') : key
  const url = url_template.replace(/\{(bucket|key)\}/g, (_, name: string) =>
    name === 'bucket' ? bucket : path,
  )
  return { url }
}

function isRecord(value: unknown): value is Record_ {
  if (!isObject(value) || !isObject(value.s3)) return false
  const { bucket, object } = value.s3
  return (
    typeof value.eventName === 'string' &&
    typeof value.eventTime === 'string' &&
    isObject(bucket) &&
    typeof bucket.name === 'string' &&
    bucket.name !== '' &&
    isObject(object) &&
    typeof object.key === 'string' &&
    object.key !== '' &&
    object.key.length <= 3072
  )
}

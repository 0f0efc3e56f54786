import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { mixpeekSignature, standardSignature, verifySignature } from './webhook-signature.ts'

const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, about').toString('base64')}`
const BODY = '{"event_type":"object.created","text":"é"}'
const now_seconds = Math.floor(Date.now() / 1000)
const message = { id: 'evt_1', timestamp_seconds: now_seconds, body: BODY }
const verification = { secrets: [SECRET], tolerance_seconds: 300, now_seconds }

const standardHeaders = (secrets: string[], more: object = {}) => ({
  'webhook-id': 'evt_1',
  'webhook-timestamp': String(now_seconds),
  'webhook-signature': standardSignature(secrets, message),
  ...more,
})

test('a standard signature is accepted by the reference library, also beside the one of another secret', () => {
  new Webhook(SECRET).verify(BODY, standardHeaders([SECRET]))
  new Webhook(SECRET).verify(BODY, standardHeaders(['another', SECRET]))
  assert.throws(() => new Webhook(SECRET).verify(`${BODY} `, standardHeaders([SECRET])))
})

test('a signature of the reference library is accepted, and no other', () => {
  const signature = new Webhook(SECRET).sign('evt_1', new Date(now_seconds * 1000), BODY)
  const check = (headers: object, body = BODY, change = {}) =>
    verifySignature({ ...headers }, Buffer.from(body), { ...verification, ...change })
  const headers = standardHeaders([SECRET], { 'webhook-signature': `v1,AAAA ${signature}` })
  assert.equal(check(headers), true)
  assert.equal(check(headers, `${BODY} `), false)
  assert.equal(check({ ...headers, 'webhook-id': 'evt_2' }), false)
  assert.equal(check({ ...headers, 'webhook-timestamp': String(now_seconds - 1) }), false)
  assert.equal(check({ ...headers, 'webhook-timestamp': 'soon' }), false)
  assert.equal(check({ ...headers, 'webhook-signature': '' }), false)
  assert.equal(check(headers, BODY, { secrets: ['other'] }), false)
  assert.equal(check(headers, BODY, { secrets: ['other', SECRET] }), true)
  assert.equal(check(headers, BODY, { now_seconds: now_seconds + 301 }), false)
  assert.equal(check(headers, BODY, { now_seconds: now_seconds - 301 }), false)
})

test('the signature of the contract is HMAC-SHA256 over time, dot and body', () => {
  const signature = mixpeekSignature(['first', 'second'], message)
  const hex = (secret: string) => createHmac('sha256', secret).update(`${now_seconds}.${BODY}`).digest('hex')
  assert.equal(signature, `t=${now_seconds},v1=${hex('first')},v1=${hex('second')}`)
  const check = (header: string, change = {}) =>
    verifySignature({ 'x-mixpeek-signature': header }, Buffer.from(BODY), {
      ...verification,
      secrets: ['second'],
      ...change,
    })
  assert.equal(check(signature), true)
  assert.equal(check(signature, { now_seconds: now_seconds + 301 }), false)
  assert.equal(check(signature.replace(/t=\d+/, 't=1')), false)
  assert.equal(check('v1=00'), false)
})

test('a signature as GitHub makes it is accepted', () => {
  const hex = createHmac('sha256', SECRET).update(BODY).digest('hex')
  const check = (header: string) =>
    verifySignature({ 'x-hub-signature-256': header }, Buffer.from(BODY), verification)
  assert.equal(check(`sha256=${hex}`), true)
  assert.equal(check(`sha1=${hex}`), false)
  assert.equal(check(`sha256=${hex.slice(1)}0`), false)
  assert.equal(verifySignature({}, Buffer.from(BODY), verification), false)
})

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { drainQueue } from '../support/drain-queue.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { S3_SERVER_MISSING, type S3Server, startS3Server } from '../support/s3-server.ts'

const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

describe('blobs from a real object store', { skip: S3_SERVER_MISSING }, () => {
  let store: S3Server
  let kura: ObjectsApp
  let bucket_id: string
  before(async () => {
    store = await startS3Server()
    await store.createBucket('media')
    for (const [Key, Body] of [
      ['a/dot+é.gif', GIF],
      ['large.gif', Buffer.concat([GIF, Buffer.alloc(400_000)])],
    ] as const)
      await store.client.send(new PutObjectCommand({ Bucket: 'media', Key, Body }))
    kura = await objectsApp('sqlite', {
      KURA_ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
      KURA_URL_BLOB_LIMIT_BYTES: '300000',
    })
    bucket_id = await kura.bucket({ schema: { properties: { hero: { type: 'image' } } } })
  })
  after(async () => {
    await kura?.close()
    await store?.stop()
  })

  const connect = async (name: string, secret_access_key: string) => {
    const credentials = { access_key_id: store.access_key_id, secret_access_key }
    const provider_config = { credentials, region: store.region, endpoint_url: store.endpoint }
    const body = { name, provider_type: 's3', provider_config, test_before_save: false }
    const made = await kura.app.inject({
      method: 'POST',
      url: '/v1/organizations/connections',
      headers: { authorization: `Bearer ${kura.key}`, 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    })
    assert.equal(made.statusCode, 200, made.body)
  }
  const hero = (data: string, more: object = {}) => ({ blobs: [{ property: 'hero', data }], ...more })

  test('without a connection that has the file the address is refused', async () => {
    await kura.refuses(400, 'url_not_usable', bucket_id, hero('s3://media/large.gif'))
    await connect('wrong', 'not the secret')
    const { error } = await kura.refuses(400, 'url_not_usable', bucket_id, hero('s3://media/a/dot+é.gif'))
    assert.equal(error.type, 'URLValidationError')
    assert.doesNotMatch(error.message, /secret|127\.0/)
  })

  test('bytes are copied through the connection that has them, bounded like those of URLs', async () => {
    await connect('right', store.secret_access_key)
    const [copied] = (await kura.create(bucket_id, hero('s3://media/a/dot+é.gif'))).blobs
    assert.equal(copied.details.filename, 'dot+é.gif')
    assert.ok(GIF.equals(await kura.stored(copied)))
    const before = await kura.storedKeys()
    for (const address of [
      's3://media/large.gif',
      's3://media/none.gif',
      's3://media/',
      'gs://media/large.gif',
    ])
      await kura.refuses(400, 'url_not_usable', bucket_id, hero(address))
    assert.deepEqual(await kura.storedKeys(), before)
  })

  test('an address that is not to be copied is looked at and kept', async () => {
    const looked = hero('s3://media/a/dot+é.gif', { canonicalize_source: false })
    const [kept] = (await kura.create(bucket_id, looked)).blobs
    assert.equal(kept.properties.url, 's3://media/a/dot+é.gif')
    await kura.refuses(
      400,
      'url_not_usable',
      bucket_id,
      hero('s3://media/none.gif', { canonicalize_source: false }),
    )
  })

  test('a kept address is read through its connection when it is processed', async () => {
    const post = async (path: string, body: object) => {
      const answer = await kura.app.inject({
        method: 'POST',
        url: path,
        headers: { authorization: `Bearer ${kura.key}`, 'x-namespace': kura.namespace_id },
        payload: body,
      })
      assert.equal(answer.statusCode, 200, answer.body)
      return answer.json()
    }
    const { collection_id } = await post('/v1/collections', {
      collection_name: 'heroes',
      source: { type: 'bucket', bucket_ids: [bucket_id] },
      feature_extractor: {
        feature_extractor_name: 'image_extractor',
        version: 'v1',
        input_mappings: { image: 'hero' },
      },
    })
    const kept = hero('s3://media/a/dot+é.gif', { canonicalize_source: false })
    const { object_id } = await kura.create(bucket_id, kept, '?auto_process=true')
    await drainQueue(kura.deps)
    const { results } = await post(`/v1/collections/${collection_id}/documents/list`, {})
    assert.equal(results.length, 1)
    const { body } = await kura.request('GET', `${bucket_id}/objects/${object_id}`)
    assert.equal(body.status, 'COMPLETED', body.error)
  })
})

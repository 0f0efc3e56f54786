import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createObjectService } from '../../src/resources/objects/index.ts'
import { type ObjectsApp, objectsApp } from '../support/objects.ts'
import { DIALECTS, type TestResponse } from '../support/test-app.ts'

const CLIENTS = 200
const KEYS = 50
/** Upserts of one client, each on another key. */
const ROUNDS = 3

for (const dialect of DIALECTS) {
  describe(`races for unique keys (${dialect})`, () => {
    let kura: ObjectsApp
    before(async () => {
      kura = await objectsApp(dialect)
    })
    after(() => kura.close())

    const keyed = (default_policy: string) =>
      kura.bucket({
        schema: { properties: { sku: { type: 'string' }, body: { type: 'text' } } },
        unique_key: { fields: ['sku'], default_policy },
      })

    /** What the rows say, beside what the counters of the bucket say. */
    const counted = async (bucket_id: string) => {
      const rows = await kura.deps.db
        .selectFrom('objects')
        .select(['object_id', 'unique_key_hash', 'size_bytes'])
        .where('bucket_id', '=', bucket_id)
        .execute()
      const bucket = (await kura.request('GET', bucket_id)).body
      const sizes = rows.map(({ size_bytes }) => size_bytes)
      assert.equal(bucket.object_count, rows.length)
      assert.equal(
        bucket.total_size_bytes,
        sizes.reduce((total, size) => total + size, 0),
      )
      assert.equal(new Set(rows.map(({ unique_key_hash }) => unique_key_hash)).size, rows.length)
      const references = await kura.deps.db
        .selectFrom('file_references')
        .select('owner_id')
        .where(
          'owner_id',
          'in',
          rows.map(({ object_id }) => object_id),
        )
        .execute()
      assert.equal(references.length, rows.length)
      return rows
    }

    test(`${CLIENTS} clients that race upserts on ${KEYS} keys make ${KEYS} objects`, async () => {
      const bucket_id = await keyed('upsert')
      const client = async (i: number): Promise<TestResponse[]> => {
        const answers: TestResponse[] = []
        for (let round = 0; round < ROUNDS; round++) {
          const body = {
            sku: `k${(i * 7 + round * 11) % KEYS}`,
            blobs: [{ property: 'body', data: `${i} ${round} ${'x'.repeat((i * 13) % 97)}` }],
          }
          answers.push(await kura.request('POST', `${bucket_id}/objects`, { body }))
        }
        return answers
      }
      const answers = (await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)))).flat()
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
      assert.equal(answers.filter(({ body }) => body.created).length, KEYS)
      assert.equal(new Set(answers.map(({ body }) => body.object_id)).size, KEYS)
      assert.equal((await counted(bucket_id)).length, KEYS)
      const files = await kura.deps.db.selectFrom('files').select('file_id').execute()
      assert.equal(files.length, KEYS) // Replaced texts are gone.
    })

    test('two servers that race for the same keys agree on one object each', async () => {
      const bucket_id = await keyed('upsert')
      const { db, files, http, config } = kura.deps
      const process = { submit: async () => null, wake: () => undefined }
      const servers = [1, 2].map(() => createObjectService({ db, files, http, config, process }))
      const query = { policy: null, auto_process: false }
      const made = await Promise.all(
        Array.from({ length: CLIENTS }, (_, i) =>
          servers[i % 2]!.create(
            kura.scope,
            bucket_id,
            {
              sku: `k${i % KEYS}`,
              blobs: [{ property: 'body', data: 'x'.repeat(i + 1) }],
              skip_duplicates: false,
              canonicalize_source: true,
              force_remirror: false,
            },
            query,
          ),
        ),
      )
      assert.equal(made.filter(({ created }) => created).length, KEYS)
      assert.equal((await counted(bucket_id)).length, KEYS)
    })

    test('of racing inserts one a key wins, the others are told whose key it is', async () => {
      const bucket_id = await keyed('insert')
      const answers = await Promise.all(
        Array.from({ length: CLIENTS }, (_, i) =>
          kura.request('POST', `${bucket_id}/objects`, {
            body: { sku: `k${i % KEYS}`, blobs: [{ property: 'body', data: `text ${i}` }] },
          }),
        ),
      )
      const winners = new Set(answers.flatMap(({ status, body }) => (status === 200 ? [body.object_id] : [])))
      assert.equal(winners.size, KEYS)
      for (const { status, body } of answers) {
        if (status === 200) continue
        assert.deepEqual([status, body.error.code], [409, 'unique_key_exists'])
        assert.ok(winners.has(body.error.details.existing_object_id))
      }
      await counted(bucket_id)
    })

    test('deletes beside upserts of the same keys leave counters and keys exact', async () => {
      const bucket_id = await keyed('upsert')
      const client = async (i: number) => {
        const body = { sku: `k${i % 10}`, blobs: [{ property: 'body', data: `text ${i}` }] }
        const { body: object } = await kura.request('POST', `${bucket_id}/objects`, { body })
        const { status } = await kura.request('DELETE', `${bucket_id}/objects/${object.object_id}`)
        assert.ok(status === 204 || status === 404, String(status))
      }
      await Promise.all(Array.from({ length: 60 }, (_, i) => client(i)))
      await kura.create(bucket_id, { sku: 'k0', blobs: [{ property: 'body', data: 'last' }] })
      await counted(bucket_id)
    })
  })
}

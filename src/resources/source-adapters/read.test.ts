import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JsonAdapterConfig, readAdapter, type S3AdapterConfig } from './config.ts'
import { readJson } from './read-json.ts'
import { readS3 } from './read-s3.ts'

const s3 = (more: object = {}) => readAdapter({ type: 's3_notifications', ...more }) as S3AdapterConfig
const json = (more: object = {}) => readAdapter({ type: 'json', ...more }) as JsonAdapterConfig

const record = (key: string, more: object = {}, object: object = {}) => ({
  eventVersion: '2.1',
  eventSource: 'aws:s3',
  eventTime: '2026-01-01T00:00:00.000Z',
  eventName: 'ObjectCreated:Put',
  s3: {
    bucket: { name: 'media' },
    object: { key, size: 3, eTag: 'abc', sequencer: '0055AED6DCD90281E5', ...object },
  },
  ...more,
})

test('a notification of S3 becomes an address, and fields by their paths', () => {
  const config = s3({
    fields: { key: 's3.object.key', size: '$.s3.object.size', origin: { value: 's3' }, no: 'a.b' },
  })
  const { items } = readS3(config, { Records: [record('photos/a+b%C3%A9.png')] })
  const [item] = items
  assert.deepEqual(item!.fields, {
    key: 'photos/a bé.png',
    size: 3,
    origin: 's3',
    blob: { data: { url: 's3://media/photos/a bé.png' } },
  })
  assert.equal(item!.source_key, 'media/photos/a bé.png')
  const web = s3({ property: 'picture', url_template: 'https://minio.example.com/{bucket}/{key}' })
  assert.deepEqual(readS3(web, { Records: [record('a+b%C3%A9.png')] }).items[0]!.blobs, [
    { property: 'picture', data: { url: 'https://minio.example.com/media/a%20b%C3%A9.png' } },
  ])
})

test('what nobody asked for is ignored: other events, prefixes, suffixes, folders, removals, test events', () => {
  const config = s3({ prefix: 'in/', suffixes: ['.png', '.jpg'] })
  const Records = [
    record('in/a.png'),
    record('out/a.png'),
    record('in/a.txt'),
    record('in/folder/'),
    record('in/%00.png'),
    record('in/b.png', { eventName: 'ObjectTagging:Put' }),
    record('in/c.png', { eventName: 's3:ObjectRemoved:Delete' }),
    { s3: {} },
    null,
  ]
  const { items, ignored } = readS3(config, { Records })
  assert.deepEqual([items.length, ignored], [1, 8])
  assert.deepEqual(readS3(config, { Service: 'Amazon S3', Event: 's3:TestEvent' }), { items: [], ignored: 0 })
  const removing = s3({ on_removed: 'delete' })
  assert.equal(
    readS3(removing, { Records: [record('c', { eventName: 's3:ObjectRemoved:Delete' })] }).items[0]!.action,
    'remove',
  )
})

test('the same notification has the same key, another change another one, and sequencers compare', () => {
  const read = (object: object, more: object = {}) =>
    readS3(s3(), { Records: [record('k', more, object)] }).items[0]!
  assert.equal(read({}).event_key, read({}).event_key)
  assert.notEqual(read({}).event_key, read({ sequencer: '0055AED6DCD90281E6' }).event_key)
  assert.ok(read({ sequencer: 'FF' }).sequencer! < read({ sequencer: '100' }).sequencer!)
  assert.match(read({ sequencer: undefined }).sequencer!, /^time:2026/)
})

test('any JSON is mapped: items at a path, ids, keys, blobs, constants', () => {
  const config = json({
    items: 'data.rows',
    event_id: 'id',
    source_key: 'sku',
    sequencer: 'version',
    fields: { title: 'names[0].text', kind: { value: 'product' } },
    blobs: [{ property: 'picture', data: 'links.image' }],
  })
  const body = {
    data: {
      rows: [
        {
          id: 7,
          sku: 'A',
          version: 3,
          names: [{ text: 'first' }],
          links: { image: 'https://x.example/a.png' },
        },
        { id: 8, sku: 'B', version: 12, names: [] },
        'noise',
      ],
    },
  }
  const { items, ignored } = readJson(config, body, 'given')
  assert.equal(ignored, 1)
  assert.deepEqual(
    items.map(({ event_id, source_key, fields, blobs }) => ({ event_id, source_key, fields, blobs })),
    [
      {
        event_id: '7',
        source_key: 'A',
        fields: { title: 'first', kind: 'product' },
        blobs: [{ property: 'picture', data: 'https://x.example/a.png' }],
      },
      { event_id: '8', source_key: 'B', fields: { kind: 'product' }, blobs: [] },
    ],
  )
  assert.ok(items[0]!.sequencer! < items[1]!.sequencer!)
})

test('without a mapping an item is the object, known again by the id of the sender', () => {
  const { items } = readJson(json(), { title: 'x' }, 'msg_1')
  assert.deepEqual(items[0]!.fields, { title: 'x' })
  assert.equal(items[0]!.event_key, readJson(json(), { title: 'x' }, 'msg_1').items[0]!.event_key)
  assert.notEqual(items[0]!.event_key, readJson(json(), { title: 'x' }, 'msg_2').items[0]!.event_key)
  const [first, second] = readJson(json({ event_id: 'id' }), { id: 'e', x: 1 }, 'g').items.concat(
    readJson(json({ items: 'all', event_id: 'id' }), { id: 'e', all: [{ x: 1 }, { x: 2 }] }, 'g').items,
  )
  assert.equal(first!.event_id, second!.event_id)
})

test('a removal is told by a value', () => {
  const removed = { path: 'state', values: ['deleted', null] }
  const config = json({ source_key: 'id', removed, on_removed: 'delete' })
  const actions = readJson(
    config,
    [
      { id: 1, state: 'deleted' },
      { id: 2, state: 'new' },
      { id: 3, state: null },
    ],
    'g',
  )
  assert.deepEqual(
    actions.items.map(({ action }) => action),
    ['remove', 'put', 'remove'],
  )
  assert.equal(readJson(json({ source_key: 'id', removed }), [{ id: 1, state: 'deleted' }], 'g').ignored, 1)
})

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isPublicAddress, parseAllowList } from './addresses.ts'

describe('public addresses', () => {
  const REFUSED = {
    loopback: ['127.0.0.1', '127.255.0.1', '::1', '[::1]'],
    unspecified: ['0.0.0.0', '0.1.2.3', '::'],
    private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12::1'],
    'link-local and metadata': [
      '169.254.169.254',
      'fe80::1',
      'fe80::1%eth0',
      'fd00:ec2::254',
      '168.63.129.16',
    ],
    'carrier NAT': ['100.64.0.1', '100.100.100.200', '100.127.255.255'],
    multicast: ['224.0.0.1', '239.1.1.1', 'ff02::1'],
    'reserved and broadcast': [
      '240.0.0.1',
      '255.255.255.255',
      '192.0.0.192',
      '192.0.2.1',
      '198.18.0.1',
      '2001:db8::1',
    ],
    mapped: ['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe', '[::ffff:7f00:1]'],
    'other IPv6 forms of IPv4': ['64:ff9b::7f00:1', '2002:7f00:1::', '2001:0:7f00:1::', '::7f00:1'],
    'what is no address': ['', 'localhost', '1.2.3', '300.1.1.1'],
  }
  for (const [kind, addresses] of Object.entries(REFUSED)) {
    test(`${kind} is not public`, () => {
      for (const address of addresses) assert.equal(isPublicAddress(address), false, address)
    })
  }

  test('plain unicast is public, also when mapped', () => {
    for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1', '::ffff:8.8.8.8'])
      assert.equal(isPublicAddress(address), true, address)
  })
})

describe('the allow list', () => {
  test('a host is allowed on every port, with a port only there', () => {
    const list = parseAllowList('minio.local, 10.1.2.3:9000 ,[::1]:80,fd00::5')
    assert.ok(list.allowsHost('minio.local', 80))
    assert.ok(list.allowsHost('MINIO.local.', 9000))
    assert.ok(!list.allowsHost('x.minio.local', 80))
    assert.ok(list.allowsHost('10.1.2.3', 9000))
    assert.ok(!list.allowsHost('10.1.2.3', 9001))
    assert.ok(list.allowsHost('[::1]', 80))
    assert.ok(!list.allowsHost('[::1]', 81))
    assert.ok(list.allowsHost('[fd00::5]', 81))
  })

  test('a network allows its addresses, mapped ones too, and no others', () => {
    const list = parseAllowList('10.0.0.0/8,fd00::/16')
    assert.ok(list.allowsAddress('10.200.0.1'))
    assert.ok(list.allowsAddress('::ffff:10.0.0.1'))
    assert.ok(!list.allowsAddress('11.0.0.1'))
    assert.ok(list.allowsAddress('[fd00::1]'))
    assert.ok(!list.allowsAddress('fd01::1'))
    assert.ok(!list.allowsAddress('not an address'))
  })

  test('an empty list allows nothing, a damaged network stops the start', () => {
    assert.ok(!parseAllowList('').allowsHost('', 80))
    assert.throws(() => parseAllowList('10.0.0.0/99'), { code: 'config_invalid' })
  })
})

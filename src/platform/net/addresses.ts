import ipaddr from 'ipaddr.js'
import { KuraError } from '../../core/errors.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** The virtual host of Azure: it hands out credentials like 169.254.169.254, yet looks public. */
const METADATA_ADDRESSES = new Set(['168.63.129.16'])

const GLOBAL_UNICAST = ipaddr.IPv6.parse('2000::')

/**
 * Whether an address belongs to the public internet. Everything that is not plain unicast is out:
 * loopback, private, link-local (cloud metadata), carrier NAT, multicast, reserved, documentation,
 * and IPv6 forms that carry an IPv4 address (mapped, NAT64, 6to4, Teredo).
 */
export function isPublicAddress(text: string): boolean {
  const address = parseAddress(text)
  if (address === null || address.range() !== 'unicast') return false
  // Outside 2000::/3 nothing is assigned as global unicast; the rest holds old forms such as ::127.0.0.1.
  if (address.kind() === 'ipv6') return address.match(GLOBAL_UNICAST, 3)
  return !METADATA_ADDRESSES.has(address.toString())
}

/** An IP address without brackets or zone; a mapped IPv4 address is what it maps. Else null. */
function parseAddress(text: string): Address | null {
  const bare = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '')
  const isAddress = ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare)
  return isAddress ? ipaddr.process(bare) : null
}

/** Private hosts that the operator lets outbound requests reach. */
export type AllowList = {
  /** `host` or `host:port`; an entry with a port allows that port only. */
  allowsHost(host: string, port: number): boolean
  /** Whether a network of the list holds the address. */
  allowsAddress(address: string): boolean
}

/** Reads a comma list of hosts, host:port pairs and networks (`10.0.0.0/8`). Throws `config_invalid`. */
export function parseAllowList(text: string): AllowList {
  const hosts = new Set<string>()
  const networks: [Address, number][] = []
  for (const entry of text.split(',').map((part) => part.trim().toLowerCase())) {
    if (entry === '') continue
    if (entry.includes('/')) networks.push(parseNetwork(entry))
    else hosts.add(normalizeHost(entry))
  }
  return {
    allowsHost(host, port) {
      const name = normalizeHost(host)
      return hosts.has(name) || hosts.has(`${name}:${port}`)
    },
    allowsAddress(text) {
      const address = parseAddress(text)
      return (
        address !== null &&
        networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits))
      )
    },
  }
}

function parseNetwork(entry: string): [Address, number] {
  if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry)
  throw new KuraError('config_invalid', {
    reason: `KURA_ALLOWED_PRIVATE_HOSTS: "${entry}" is not a network like 10.0.0.0/8.`,
  })
}

/** Lower case without the dot that ends a full name; IPv6 keeps its brackets, because of ports. */
function normalizeHost(host: string): string {
  const name = host.toLowerCase().replace(/\.$/, '')
  return name.includes('::') && !name.startsWith('[') ? `[${name}]` : name
}

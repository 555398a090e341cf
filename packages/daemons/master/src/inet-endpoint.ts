/**
 * inet-endpoint - where an `inet` service of master.cf listens
 *
 * `port`, `host:port`, `[address]:port`; the port is a number or a name of known_tcp_ports or /etc/services. Without a
 * host: the wild-card addresses when inet_interfaces is `all`, else each address of inet_interfaces. Names of hosts and
 * ports are resolved once; two entries with the same endpoints are the same service, however they are written.
 *
 * Source: Postfix 3.7 master(5).
 */
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { MainConfig } from '@posthorn/config/main-config'
import type { SocketAddress } from '@posthorn/native/socket'

type InetAddress = Extract<SocketAddress, { port: number }>

export interface InetEndpoint {
  /** `25`, `[127.0.0.1]:25`: what identifies the service across a reload. */
  readonly name: string
  readonly addresses: readonly InetAddress[]
  readonly isLoopbackOnly: boolean
}

/** The parts of main.cf that a reload cannot change. */
export interface NetworkSettings {
  readonly interfaces: string
  readonly protocols: string
  readonly hasIpv4: boolean
  readonly hasIpv6: boolean
  readonly ports: ReadonlyMap<string, number>
}

/** What stands in master.cf cannot be listened on; the message is without file and line. */
export class EndpointError extends Error {
  readonly code = 'POSTHORN_MASTER_ENDPOINT'
}

export function readNetworkSettings(config: MainConfig): NetworkSettings {
  const protocols = config.text('inet_protocols').toLowerCase()
  const words = protocols.split(/[\s,]+/)
  return {
    interfaces: config.text('inet_interfaces'),
    protocols,
    hasIpv4: words.includes('all') || words.includes('ipv4'),
    hasIpv6: words.includes('all') || words.includes('ipv6'),
    ports: knownPorts(config.text('known_tcp_ports')),
  }
}

/** `lmtp=24, smtps=submissions=465`: every name before the number has it. */
function knownPorts(text: string): Map<string, number> {
  const ports = new Map<string, number>()
  for (const item of text.split(',')) {
    const words = item.split('=').map((word) => word.trim())
    const port = Number(words.pop())
    if (Number.isInteger(port)) for (const name of words) ports.set(name, port)
  }
  return ports
}

/** @throws {EndpointError} */
export async function resolveEndpoint(
  service: string,
  network: NetworkSettings,
): Promise<InetEndpoint> {
  const { host, port: portName } = splitEndpoint(service)
  const port = findPort(portName, network)
  const hosts =
    host === undefined ? await ownAddresses(network) : await hostAddresses(host, network)
  if (hosts.length === 0) throw new EndpointError(`no valid IP address found: ${service}`)
  const addresses = hosts.map((address): InetAddress => {
    return { family: isIP(address) === 4 ? 'inet' : 'inet6', address, port }
  })
  return {
    name: host === undefined ? String(port) : `[${hosts.join(',')}]:${port}`,
    addresses,
    isLoopbackOnly: hosts.every(isLoopback),
  }
}

/** @throws {EndpointError} */
export function splitEndpoint(service: string): { host: string | undefined; port: string } {
  const bracketed = /^\[([^\]]+)\](?::(.+))?$/.exec(service)
  const plain = /^(?:(.*):)?([^:]+)$/.exec(service)
  const [, host, port] = bracketed ?? plain ?? []
  if (port === undefined || host === '') {
    throw new EndpointError(`bad hostname or network address: ${service}`)
  }
  return { host: host?.replace(/^ipv6:/i, ''), port }
}

/** @throws {EndpointError} */
function findPort(name: string, network: NetworkSettings): number {
  const port = /^\d+$/.test(name) ? Number(name) : (network.ports.get(name) ?? servicePort(name))
  if (port !== undefined && port > 0 && port < 65_536) return port
  throw new EndpointError(`bad hostname or network address: ${name}`)
}

/** From /etc/services: `smtp 25/tcp mail`. */
function servicePort(name: string): number | undefined {
  let text: string
  try {
    // eslint-disable-next-line n/no-sync -- a small file, at start and at reload
    text = readFileSync('/etc/services', 'latin1')
  } catch {
    return undefined // a system without one knows no names
  }
  for (const line of text.split('\n')) {
    const [first, number, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
    const found = /^(\d+)\/tcp$/.exec(number ?? '')
    if (found && (first === name || aliases.includes(name))) return Number(found[1])
  }
  return undefined
}

function isEnabled(address: string, network: NetworkSettings): boolean {
  return isIP(address) === 6 ? network.hasIpv6 : network.hasIpv4
}

async function hostAddresses(host: string, network: NetworkSettings): Promise<string[]> {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) !== 0) return isEnabled(bare, network) ? [bare] : []
  try {
    const found = await lookup(bare, { all: true, order: 'ipv4first' })
    const addresses = found.map(({ address }) => address)
    return [...new Set(addresses)].filter((address) => isEnabled(address, network))
  } catch {
    return [] // unknown names have no usable address
  }
}

async function ownAddresses(network: NetworkSettings): Promise<string[]> {
  const words = network.interfaces.split(/[\s,]+/).filter((word) => word !== '')
  if (words.some((word) => word.toLowerCase() === 'all')) {
    return ['0.0.0.0', '::'].filter((address) => isEnabled(address, network))
  }
  const addresses = new Set<string>()
  for (const word of words) {
    const found =
      word.toLowerCase() === 'loopback-only'
        ? loopbackAddresses().filter((address) => isEnabled(address, network))
        : await hostAddresses(word, network)
    for (const address of found) addresses.add(address)
  }
  return [...addresses]
}

function loopbackAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter((entry) => entry.internal)
    .map((entry) => entry.address)
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

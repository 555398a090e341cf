/**
 * inet-endpoint - where an `inet` service of master.cf listens
 *
 * `port`, `:port`, `host:port`, `[address]:port`; the port is a number or a name of known_tcp_ports or /etc/services.
 * Without a host: the addresses of inet_interfaces. Names of hosts and ports are resolved once; two entries with the same
 * endpoints are the same service, however they are written.
 *
 * Source: Postfix 3.7 master(5), and the program itself for what it says about mistakes.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostnameFault } from '@posthorn/config/hostname-fault'
import type { MainConfig } from '@posthorn/config/main-config'
import type { SocketAddress } from '@posthorn/native/socket'
import { hostAddresses, ownAddresses, readProtocols, type Protocols } from './own-interfaces.ts'

type InetAddress = Extract<SocketAddress, { port: number }>

export interface InetEndpoint {
  /** `25`, `[127.0.0.1]:25`: what identifies the service across a reload. */
  readonly name: string
  readonly addresses: readonly InetAddress[]
  readonly isLoopbackOnly: boolean
}

/** The parts of main.cf that a reload cannot change. */
export interface NetworkSettings extends Protocols {
  readonly interfaces: string
  readonly protocols: string
  /** What inet_interfaces stands for. */
  readonly ownAddresses: readonly string[]
  readonly ports: ReadonlyMap<string, number>
}

/** What stands in master.cf cannot be listened on; the message is without file and line. */
export class EndpointError extends Error {
  readonly code = 'POSTHORN_MASTER_ENDPOINT'
}

/** @throws {ConfigError} inet_interfaces names a host that nobody knows */
export async function readNetworkSettings(config: MainConfig): Promise<NetworkSettings> {
  const interfaces = config.text('inet_interfaces')
  const protocols = config.text('inet_protocols')
  const enabled = readProtocols(protocols)
  return {
    ...enabled,
    interfaces,
    protocols,
    ownAddresses: await ownAddresses(interfaces, enabled),
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
  const hosts = host === undefined ? network.ownAddresses : await hostAddresses(host, network)
  const [first] = hosts
  if (first === undefined) {
    const why = host === undefined ? 'no valid IP address found' : 'bad hostname or network address'
    throw new EndpointError(`${why}: ${service}`)
  }
  const port = findPort(portName, network)
  if (port === undefined) {
    throw new EndpointError(`${first}:${portName}: Servname not supported for ai_socktype`)
  }
  if (port === 0 || port > 65_535) throw new EndpointError(`no such TCP port: ${service}`)
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
  const { host, port } = service.startsWith('[') ? splitBracketed(service) : splitPlain(service)
  if (port === '') throw new EndpointError(`missing service information in "${service}"`)
  if (host === undefined) return { host, port }
  const bare = host.replace(/^ipv6:/i, '')
  // a scoped address (RFC 4007 11) is none to Postfix either
  if (bare.includes('%') || (isIP(bare) === 0 && hostnameFault(bare) !== undefined)) {
    throw new EndpointError(`valid hostname or network address required in "${service}"`)
  }
  return { host: bare, port }
}

function splitBracketed(service: string): { host: string; port: string } {
  const end = service.indexOf(']')
  if (end < 0) throw new EndpointError(`missing "]" in "${service}"`)
  const rest = service.slice(end + 1)
  if (rest !== '' && !rest.startsWith(':')) {
    throw new EndpointError(`garbage after "]" in "${service}"`)
  }
  return { host: service.slice(1, end), port: rest.slice(1) }
}

function splitPlain(service: string): { host: string | undefined; port: string } {
  const colon = service.lastIndexOf(':')
  const port = service.slice(colon + 1)
  return { host: colon <= 0 ? undefined : service.slice(0, colon), port }
}

/** undefined: nobody knows that name. */
function findPort(name: string, network: NetworkSettings): number | undefined {
  return /^\d+$/.test(name) ? Number(name) : (network.ports.get(name) ?? servicePort(name))
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

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

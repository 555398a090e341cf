/**
 * nexthop - reads a destination as a person writes it: `example.com`, `[mx.example.com]:submission`, `[IPv6:::1]`
 *
 * A bad one is the configuration's fault and ends the process with the words that Postfix uses
 * for it: the queue manager then keeps the mail.
 */
import { readFileSync } from 'node:fs'
import { isValidHostname, isValidIpAddress, isValidUtf8Hostname } from '@posthorn/address/hostname'

/** The configuration names a destination that cannot be. The message is the fatal line. */
export class NexthopError extends Error {
  readonly code = 'POSTHORN_NEXTHOP'
}

export interface Nexthop {
  /** As written. */
  element: string
  /** Name or address, without brackets and `IPv6:`. */
  host: string
  /** The name of the port, or its number, as written or by default. */
  service: string
  port: number
  /** In brackets: no MX lookup. */
  isBracketed: boolean
}

export interface NexthopRules {
  /** smtp_tcp_port, lmtp_tcp_port */
  defaultPort: string
  /** known_tcp_ports, by name. */
  knownPorts: ReadonlyMap<string, string>
  /** smtputf8_enable */
  allowsUtf8: boolean
}

function split(element: string): { host: string; port: string; isBracketed: boolean } {
  if (!element.startsWith('[')) {
    const colon = element.lastIndexOf(':')
    if (colon < 0) return { host: element, port: '', isBracketed: false }
    return { host: element.slice(0, colon), port: element.slice(colon + 1), isBracketed: false }
  }
  const close = element.indexOf(']')
  if (close < 0) throw badElement('missing "]"', element)
  const rest = element.slice(close + 1)
  if (rest !== '' && !rest.startsWith(':')) throw badElement('garbage after "]"', element)
  const inner = element.slice(1, close)
  const ipv6 = /^ipv6:(.*)$/i.exec(inner)?.[1]
  if (ipv6 !== undefined && !isValidIpAddress(ipv6)) {
    throw badElement('malformed IPv6 address', element)
  }
  return { host: ipv6 ?? inner, port: rest.slice(1), isBracketed: true }
}

function badElement(why: string, element: string): NexthopError {
  return new NexthopError(`${why} in server description: ${element}`)
}

/** @throws {NexthopError} */
export function parseNexthop(element: string, rules: NexthopRules): Nexthop {
  const { host, port, isBracketed } = split(element)
  if (host === '') throw badElement('missing host information', element)
  const isHost =
    isValidIpAddress(host) || (rules.allowsUtf8 ? isValidUtf8Hostname(host) : isValidHostname(host))
  if (!isHost) throw badElement('valid hostname or network address required', element)
  const service = port || rules.defaultPort
  return { element, host, service, port: findPort(service, element, rules), isBracketed }
}

function findPort(text: string, element: string, rules: NexthopRules): number {
  const word = rules.knownPorts.get(text) ?? text
  if (/^\d/.test(word)) {
    if (!/^\d+$/.test(word)) throw badElement('garbage after numerical service', element)
    const port = Number(word)
    if (port >= 1 && port <= 65535) return port
    throw new NexthopError(`bad network port: ${word} for destination: ${element}`)
  }
  const known = findService(word)
  if (known === undefined) throw new NexthopError(`unknown service: ${word}/tcp`)
  return known
}

let services: string | undefined

/** services(5): `smtp 25/tcp mail`. */
function findService(name: string): number | undefined {
  if (services === undefined) {
    try {
      // eslint-disable-next-line n/no-sync -- once per process, and only for names beyond known_tcp_ports
      services = readFileSync('/etc/services', 'latin1')
    } catch {
      services = ''
    }
  }
  for (const line of services.split('\n')) {
    const [service, portAndProtocol = '', ...aliases] = line.replace(/#.*/, '').split(/\s+/)
    if (service !== name && !aliases.includes(name)) continue
    const [, port] = /^(\d+)\/tcp$/.exec(portAndProtocol) ?? []
    if (port !== undefined) return Number(port)
  }
  return undefined
}

/** known_tcp_ports: `lmtp=24, smtps=submissions=465`. */
export function parseKnownPorts(entries: readonly string[]): ReadonlyMap<string, string> {
  const ports = new Map<string, string>()
  for (const entry of entries) {
    const words = entry.split('=').map((word) => word.trim())
    const port = words.pop()
    if (port !== undefined) for (const name of words) ports.set(name, port)
  }
  return ports
}

/** The destinations of a request, in order: those of its next-hop, then smtp_fallback_relay. */
export function listNexthops(nexthop: string, fallbackRelays: readonly string[]): string[] {
  return [...nexthop.split(/[\s,]+/).filter((word) => word !== ''), ...fallbackRelays]
}

/**
 * proxy-header - who the client is, as a load balancer in front of us says (smtpd_upstream_proxy_protocol = haproxy)
 *
 *     PROXY TCP4 192.0.2.66 192.0.2.25 4711 25 CR LF          version 1, a line
 *     \r\n\r\n\0\r\nQUIT\n ver/command family length addresses   version 2, octets
 *
 * The header comes before anything else. Whoever can connect to such a service can say what he likes, so only the load
 * balancer may. Limits: 16 and 65535 octets in version 2, a line of 256 in version 1; smtpd_upstream_proxy_timeout.
 * Source: the PROXY protocol specification of HAProxy, versions 1 and 2; Postfix 3.7.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { EndOfStreamError, StreamTimeoutError, type ByteStream } from '@posthorn/stream/byte-stream'
import { escapeText } from './escape-text.ts'

export interface ProxyEndpoints {
  readonly client: { readonly address: string; readonly port: number }
  readonly server: { readonly address: string; readonly port: number }
}

/** The header is missing, late or wrong; the message says how. */
export class ProxyHeaderError extends SyntaxError {
  readonly code = 'POSTHORN_PROXY_HEADER'
}

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const FIXED_OCTETS = 16
const LINE_LIMIT = 256
const TCP4 = 0x11
const TCP6 = 0x21

export interface ProxyHeaderOptions {
  readonly timeoutMs: number
  readonly hasIpv6: boolean
}

/** Takes the header from the stream. 'local': the load balancer speaks for itself. @throws {ProxyHeaderError} */
export async function readProxyHeader(
  stream: ByteStream,
  { timeoutMs, hasIpv6 }: ProxyHeaderOptions,
): Promise<ProxyEndpoints | 'local'> {
  const deadlineMs = Date.now() + timeoutMs
  stream.deadlineMs = deadlineMs
  try {
    for (;;) {
      const { buffered } = stream
      const length = headerLength(buffered)
      if (length !== undefined) {
        const header = stream.take(length)
        return header.startsWith(SIGNATURE)
          ? parseOctets(header, hasIpv6)
          : parseLine(header, hasIpv6)
      }
      if (!(await stream.fill()))
        throw wrong(stream.buffered === '' ? 'EOF' : 'short protocol header', buffered)
    }
  } catch (error) {
    if (error instanceof StreamTimeoutError) {
      const { buffered } = stream
      throw buffered === ''
        ? new ProxyHeaderError('timeout error')
        : wrong('short protocol header', buffered)
    }
    if (error instanceof EndOfStreamError) throw new ProxyHeaderError('EOF')
    throw error
  } finally {
    stream.deadlineMs = 0
  }
}

/** Undefined: it is not whole yet. */
function headerLength(octets: string): number | undefined {
  if (octets.startsWith(SIGNATURE)) {
    if (octets.length < FIXED_OCTETS) return undefined
    const whole = FIXED_OCTETS + numberAt(octets, 14)
    return octets.length < whole ? undefined : whole
  }
  if (SIGNATURE.startsWith(octets)) return undefined
  const lf = octets.indexOf('\n')
  return lf >= 0 ? lf + 1 : octets.length >= LINE_LIMIT ? octets.length : undefined
}

function parseLine(line: string, hasIpv6: boolean): ProxyEndpoints {
  if (line.length < SIGNATURE.length) throw wrong('short protocol header', line)
  const [head, family, ...rest] = line.trimEnd().split(' ')
  if (head !== 'PROXY') throw wrong('unrecognized protocol header', line)
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' && hasIpv6 ? isIPv6 : undefined
  if (isAddress === undefined) throw wrong('bad or missing protocol type', line)
  const address = (at: number, who: string): string => {
    const text = rest[at] ?? ''
    if (!isAddress(text)) throw wrong(`bad or missing ${who} address`, line)
    return text
  }
  const port = (at: number, who: string): number => {
    const text = rest[at] ?? ''
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
      throw wrong(`bad or missing ${who} port`, line)
    return Number(text)
  }
  const [client, server] = [address(0, 'client'), address(1, 'server')]
  return {
    client: { address: client, port: port(2, 'client') },
    server: { address: server, port: port(3, 'server') },
  }
}

function parseOctets(header: string, hasIpv6: boolean): ProxyEndpoints | 'local' {
  const version = header.charCodeAt(12) >> 4
  const command = header.charCodeAt(12) & 15
  if (version !== 2) throw wrong('unrecognized protocol version', header)
  if (command === 0) return 'local'
  if (command !== 1) throw wrong('bad command in proxy header', header)
  const family = header.charCodeAt(13)
  if (family !== TCP4 && family !== TCP6) throw wrong('unsupported network protocol', header)
  if (family === TCP6 && !hasIpv6) throw wrong('MTA IPv6 support is disabled', header)
  const size = family === TCP4 ? 4 : 16
  if (header.length < FIXED_OCTETS + 2 * size + 4) throw wrong('short address field', header)
  const at = FIXED_OCTETS
  return {
    client: { address: addressAt(header, at, size), port: numberAt(header, at + 2 * size) },
    server: {
      address: addressAt(header, at + size, size),
      port: numberAt(header, at + 2 * size + 2),
    },
  }
}

function numberAt(octets: string, at: number): number {
  return octets.charCodeAt(at) * 256 + octets.charCodeAt(at + 1)
}

function addressAt(octets: string, at: number, size: number): string {
  if (size === 4)
    return Array.from({ length: 4 }, (_, index) => octets.charCodeAt(at + index)).join('.')
  const groups = Array.from({ length: 8 }, (_, index) =>
    numberAt(octets, at + 2 * index).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}

function wrong(what: string, header: string): ProxyHeaderError {
  return new ProxyHeaderError(header === '' ? what : `${what}: ${escapeText(header)}`)
}

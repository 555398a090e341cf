/**
 * resolv-conf - which name servers to ask, and how patiently
 *
 * Reads resolv.conf(5): nameserver, domain, search, options ndots, timeout, attempts. Everything else there
 * is not for us. dns_nameservers (an addition of Posthorn) replaces the servers and nothing else.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

export interface NameServer {
  address: string
  port: number
}

export interface ResolverSettings {
  servers: readonly NameServer[]
  /** For one try with one server. */
  timeoutMs: number
  /** Rounds through all servers. */
  attempts: number
  /** Domains for names that are not fully qualified; used by queries that ask for it. */
  search: readonly string[]
  /** A name with fewer dots than this is tried in the search domains first. */
  ndots: number
}

const DNS_PORT = 53
const MAX_SERVERS = 3
const MAX_SEARCH = 32

/** resolv.conf(5): without a file or without a server the one on this host is asked. */
const DEFAULTS: ResolverSettings = {
  servers: [{ address: '127.0.0.1', port: DNS_PORT }],
  timeoutMs: 5000,
  attempts: 2,
  search: [],
  ndots: 1,
}

function clampOption(text: string, least: number, most: number): number {
  return Math.min(most, Math.max(least, Number.parseInt(text, 10) || 0))
}

/** `text`: the content of resolv.conf. Lines that make no sense are passed over, as the C library does. */
export function parseResolvConf(text: string): ResolverSettings {
  const servers: NameServer[] = []
  const settings = { ...DEFAULTS }
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver') {
      const address = words[0]?.replace(/%.*$/, '') ?? ''
      if (isIP(address) !== 0 && servers.length < MAX_SERVERS) {
        servers.push({ address, port: DNS_PORT })
      }
    } else if (keyword === 'domain' || keyword === 'search') {
      settings.search = words.slice(0, keyword === 'domain' ? 1 : MAX_SEARCH)
    } else if (keyword === 'options') {
      for (const option of words) {
        const [name, value = ''] = option.split(':')
        if (name === 'ndots') settings.ndots = clampOption(value, 0, 15)
        if (name === 'timeout') settings.timeoutMs = clampOption(value, 1, 30) * 1000
        if (name === 'attempts') settings.attempts = clampOption(value, 1, 5)
      }
    }
  }
  if (servers.length > 0) settings.servers = servers
  return settings
}

/** Settings of this host. A file that is not there or not readable means the defaults. */
export function readResolvConf(path = '/etc/resolv.conf'): ResolverSettings {
  try {
    // eslint-disable-next-line n/no-sync -- once per process, at start
    return parseResolvConf(readFileSync(path, 'latin1'))
  } catch {
    return DEFAULTS
  }
}

/**
 * The value of dns_nameservers: `192.0.2.1`, `2001:db8::1`, `[192.0.2.1]:5353`, separated by blanks or commas.
 *
 * @throws {RangeError} not an address, or not a port
 */
export function parseNameServers(value: string): readonly NameServer[] {
  const words = value.split(/[\s,]+/).filter((word) => word !== '')
  return words.map((word) => {
    const bare = isIP(word) === 6 ? `[${word}]` : word
    const found = /^(?:\[([^[\]]*)\]|([^[\]]*?))(?::(\d{1,5}))?$/.exec(bare)
    const address = found?.[1] ?? found?.[2] ?? ''
    const port = Number(found?.[3] ?? DNS_PORT)
    if (isIP(address) === 0 || port < 1 || port > 65535) {
      throw new RangeError(`Cannot use name server "${word}": want an IP address or [address]:port`)
    }
    return { address, port }
  })
}

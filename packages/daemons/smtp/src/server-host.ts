/**
 * server-host - one address of one server of a destination
 */
export interface ServerHost {
  /** As in `relay=`: the MX host name, or the destination itself. */
  name: string
  /** IP address without brackets, or the path of a Unix socket. */
  address: string
  /** 0 for a Unix socket. */
  port: number
  /** Of the MX record; 0 without one. */
  preference: number
  /** What DNS said on the way here. Absent: it was not asked for validated answers, or not asked at all. */
  dns?: DnsFacts
}

/** For DANE (RFC 7672 2): which names the server has, and how far they can be believed. Only with smtp_dns_support_level = dnssec. */
export interface DnsFacts {
  /** The host name whose address was asked for: of the MX record, or the destination. */
  queryName: string
  /** The owner of the address record, at the end of any aliases. */
  replyName: string
  /** The MX records were validated; true also where none was needed. */
  isMxSecure: boolean
  /** And so was this address record, with all aliases that led to it. */
  isAddressSecure: boolean
}

/** `H[A]`, as in failure texts. */
export function describeHost(host: ServerHost): string {
  return `${host.name}[${host.address}]`
}

/** `H[A]:P`, as in `relay=`; `H[PATH]` for a Unix socket. */
export function describeEndpoint(host: ServerHost): string {
  return host.port === 0 ? describeHost(host) : `${describeHost(host)}:${host.port}`
}

export function isIpv6(host: ServerHost): boolean {
  return host.address.includes(':')
}

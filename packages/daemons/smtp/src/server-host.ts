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

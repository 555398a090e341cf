/**
 * session-client - who is at the other end of an SMTP connection
 */

/** ok: name and address confirm each other; tryAgain: DNS could not say; none: there is no such name. */
export type NameStatus = 'ok' | 'tryAgain' | 'none'

export interface SessionClient {
  /** 'unknown' unless the name resolves back to the address. */
  readonly name: string
  readonly nameStatus: NameStatus
  /** What the address resolves to, confirmed or not; 'unknown' without. */
  readonly reverseName: string
  readonly reverseStatus: NameStatus
  /** Without an `IPv6:` prefix; 'unknown' for standard input. */
  readonly address: string
  readonly port: string
  readonly family: 'inet' | 'inet6'
  readonly serverAddress: string
  readonly serverPort: string
  /** `name[address]`, with `:port` when smtpd_client_port_logging says so. */
  readonly label: string
  /** sendmail -bs: no network, so no TLS and no Milters. */
  readonly isLocalUser: boolean
}

/** `name[address]`, as log lines name a client. */
export function clientLabel(
  client: Pick<SessionClient, 'name' | 'address' | 'port'>,
  isPortLogged: boolean,
): string {
  return `${client.name}[${client.address}]${isPortLogged ? `:${client.port}` : ''}`
}

/** RFC 5321 4.1.3: the form inside an address literal. */
export function literalAddress(client: Pick<SessionClient, 'address' | 'family'>): string {
  return client.family === 'inet6' ? `IPv6:${client.address}` : client.address
}

/**
 * forwarded-origin - what XFORWARD has said about where the next message came from
 */
import { isIPv6 } from 'node:net'
import { clientLabel } from './session-client.ts'

export interface ForwardedOrigin {
  /** Anything but IDENT and SOURCE was given: the client of the log is that one, unknown where nothing was said. */
  hasClient: boolean
  name: string
  address: string
  port: string
  protocol: string
  helo: string | undefined
  /** The queue id there. */
  ident: string | undefined
  context: 'local' | 'remote' | undefined
}

export const unknownOrigin: Readonly<ForwardedOrigin> = {
  hasClient: false,
  name: 'unknown',
  address: 'unknown',
  port: 'unknown',
  protocol: 'unknown',
  helo: undefined,
  ident: undefined,
  context: undefined,
}

/** `name[address]`; only the name when there is no address. */
export function originLabel(origin: ForwardedOrigin, isPortLogged: boolean): string {
  return origin.address === 'unknown' ? origin.name : clientLabel(origin, isPortLogged)
}

export function originFamily({ address }: ForwardedOrigin): 'inet' | 'inet6' {
  return isIPv6(address) ? 'inet6' : 'inet'
}

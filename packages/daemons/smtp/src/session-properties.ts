/**
 * session-properties - what is known about a connection in the cache, as text
 *
 * `name=value` lines in a fixed order and an empty line; a second group for a connection under TLS. scache(8) does not look
 * into it; another smtp process does.
 * What is not saved (the SIZE limit, the server's own name) is not known when the connection is used again.
 * Source: Postfix 3.7.
 */
import { encodePlainList, PlainListDecoder } from '@posthorn/wire/plain-list'
import { TlsContextList, type TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import { AttrError } from '@posthorn/wire/wire-error'
import { isTlsRequired } from './tls-options.ts'

/** Where the connection leads, as seen by the delivery that saved it. */
export interface DestinationProperties {
  nexthop: string
  hostName: string
  address: string
  /** DESTINATION_FEATURES */
  features: number
}

/** What the connection itself is like. */
export interface EndpointProperties {
  tlsLevel: number
  /** Deliveries after the first one so far. */
  reuseCount: number
  features: number
  /** Not to be used after this time: seconds since 1970. */
  expireSeconds: number
  /** The TLS session, as tlsproxy(8) or our engine has described it; undefined: plaintext. */
  tlsContext?: TlsContext | undefined
}

export function encodeDestinationProperties(properties: DestinationProperties): string {
  const { nexthop, hostName, address, features } = properties
  return `destination=${nexthop}\nhost_name=${hostName}\nhost_addr=${address}\ndestination_features=${features}\n\n`
}

export function encodeEndpointProperties(properties: EndpointProperties): string {
  const { tlsLevel, reuseCount, features, expireSeconds, tlsContext } = properties
  const endpoint = `tls_level=${tlsLevel}\nreuse_count=${reuseCount}\nendpoint_features=${features}\nexpire_time=${expireSeconds}\n\n`
  if (tlsContext === undefined) return endpoint
  return endpoint + encodePlainList(TlsContextList.format(printable(tlsContext)))
}

const destinationPattern =
  /^destination=(.*)\nhost_name=(.*)\nhost_addr=(.*)\ndestination_features=(\d{1,10})\n\n$/
const endpointPattern =
  /^tls_level=(\d{1,10})\nreuse_count=(\d{1,10})\nendpoint_features=(\d{1,10})\nexpire_time=(\d{1,15})\n\n/

/** Undefined: not the properties that we or a real smtp(8) would have written. */
export function parseDestinationProperties(text: string): DestinationProperties | undefined {
  const [, nexthop, hostName, address, features] = destinationPattern.exec(text) ?? []
  if (nexthop === undefined || hostName === undefined || address === undefined) return undefined
  return { nexthop, hostName, address, features: Number(features) }
}

/** As parseDestinationProperties(). A level that needs TLS must say what came of it. */
export function parseEndpointProperties(text: string): EndpointProperties | undefined {
  const found = endpointPattern.exec(text)
  if (found === null) return undefined
  const [, tlsLevel, reuseCount, features, expireSeconds] = found.map(Number)
  if (tlsLevel === undefined || reuseCount === undefined) return undefined
  if (features === undefined || expireSeconds === undefined) return undefined
  const endpoint = { tlsLevel, reuseCount, features, expireSeconds }
  const rest = text.slice(found[0].length)
  if (rest === '') return isTlsRequired(tlsLevel) ? undefined : endpoint
  const tlsContext = parseTlsContext(rest)
  return tlsContext && { ...endpoint, tlsContext }
}

function parseTlsContext(text: string): TlsContext | undefined {
  try {
    const decoder = new PlainListDecoder()
    if (decoder.push(text) !== text.length || !decoder.isComplete) return undefined
    return TlsContextList.parse(decoder.attrs)
  } catch (error) {
    if (error instanceof AttrError) return undefined
    throw error
  }
}

/** Names come from a stranger's certificate; a line must stay one. */
function printable(context: TlsContext): TlsContext {
  const { peerName, issuerName } = context
  return {
    ...context,
    peerName: peerName.replaceAll('\n', '?'),
    issuerName: issuerName.replaceAll('\n', '?'),
  }
}

/**
 * session-properties - what is known about a connection in the cache, as text
 *
 * `name=value` lines in a fixed order and an empty line. scache(8) does not look into it; another smtp process does.
 * What is not saved (the SIZE limit, the server's own name) is not known when the connection is used again.
 * Source: Postfix 3.7.
 */

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
}

export function encodeDestinationProperties(properties: DestinationProperties): string {
  const { nexthop, hostName, address, features } = properties
  return `destination=${nexthop}\nhost_name=${hostName}\nhost_addr=${address}\ndestination_features=${features}\n\n`
}

export function encodeEndpointProperties(properties: EndpointProperties): string {
  const { tlsLevel, reuseCount, features, expireSeconds } = properties
  return `tls_level=${tlsLevel}\nreuse_count=${reuseCount}\nendpoint_features=${features}\nexpire_time=${expireSeconds}\n\n`
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

/** Also undefined for connections through tlsproxy(8), which have a second group: we do not use those. */
export function parseEndpointProperties(text: string): EndpointProperties | undefined {
  const found = endpointPattern.exec(text)
  if (found?.[0].length !== text.length) return undefined
  const [, tlsLevel, reuseCount, features, expireSeconds] = found.map(Number)
  if (tlsLevel === undefined || reuseCount === undefined) return undefined
  if (features === undefined || expireSeconds === undefined) return undefined
  return { tlsLevel, reuseCount, features, expireSeconds }
}

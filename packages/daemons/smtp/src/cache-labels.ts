/**
 * cache-labels - the keys under which connections lie in the connection cache
 *
 * A label is the fields that decide whether a connection may serve another delivery, each followed by a newline, in
 * this order: service, sender, request next-hop, current next-hop, host name, address, port, TLS level. A field that
 * does not matter is left out; one that is empty is `*`; one that could be mistaken is base64.
 * Real smtp(8) processes share the cache, so the form is theirs. Source: Postfix 3.7.
 */

export interface LabelRules {
  /** First column of master.cf. */
  service: string
  /** smtp_sasl_password_maps is not empty: credentials may differ by next-hop and host. */
  hasPasswordMaps: boolean
  /** smtp_sender_dependent_authentication, with password maps: credentials may differ by sender. */
  dependsOnSender: boolean
}

/** From here on a server certificate must match a name, which depends on the next-hop. */
const LEVEL_ENCRYPT = 2

function join(fields: readonly (string | undefined)[]): string {
  let label = ''
  for (const field of fields) {
    if (field === undefined) continue
    if (field === '') label += '*\n'
    else if (/[\n*]/.test(field)) label += `${Buffer.from(field, 'latin1').toString('base64')}\n`
    else label += `${field}\n`
  }
  return label
}

export function destinationLabel(
  rules: LabelRules,
  sender: string,
  requestNexthop: string,
): string {
  return join([rules.service, rules.dependsOnSender ? sender : undefined, requestNexthop])
}

export interface Endpoint {
  /** The next-hop being tried, verbatim. */
  nexthop: string
  hostName: string
  /** IP address without brackets, or the path of a Unix socket. */
  address: string
  port: number
  tlsLevel: number
}

export function endpointLabel(rules: LabelRules, sender: string, endpoint: Endpoint): string {
  const needsNexthop = rules.hasPasswordMaps || endpoint.tlsLevel > LEVEL_ENCRYPT
  return join([
    rules.service,
    rules.dependsOnSender ? sender : undefined,
    needsNexthop ? endpoint.nexthop : undefined,
    rules.hasPasswordMaps ? endpoint.hostName : undefined,
    endpoint.address,
    String(endpoint.port),
    String(endpoint.tlsLevel),
  ])
}

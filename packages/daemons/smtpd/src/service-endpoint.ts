/**
 * service-endpoint - where a helper of ours listens: `inet:host:port`, `host:port`, `unix:path`
 *
 * Paths are relative to the queue directory. Without a host it is this one.
 */
import { isIP } from 'node:net'
import { ConfigError } from '@posthorn/config/config-error'
import { lookupNative } from '@posthorn/dns/native-lookup'
import type { SocketAddress } from '@posthorn/native/socket'

export type Endpoint = { readonly host: string; readonly port: number } | { readonly path: string }

/** `what` names it in the fault. @throws {ConfigError} */
export function parseEndpoint(name: string, what: string): Endpoint {
  const path = /^(?:unix|local):(.+)$/.exec(name)?.[1]
  if (path !== undefined) return { path }
  const inet = /^(?:inet:)?(?:\[([^\]]+)\]:|([^:[\]]*):)?(\d{1,5})$/.exec(name)
  const port = Number(inet?.[3])
  if (inet === null || port < 1 || port > 65_535) {
    throw new ConfigError(`${what}: want inet:host:port or unix:path, not "${name}"`)
  }
  const host = inet[1] ?? inet[2] ?? ''
  return { host: host === '' ? 'localhost' : host, port }
}

/** As log lines name it. */
export function endpointTitle(name: string): string {
  return name.replace(/^(?:inet|unix|local):/, '')
}

/** @throws {Error} the host has no address */
export async function findEndpoint(endpoint: Endpoint): Promise<SocketAddress> {
  if ('path' in endpoint) return { family: 'unix', path: endpoint.path }
  const { host, port } = endpoint
  let address = host
  if (isIP(host) === 0) {
    const answer = await lookupNative(host)
    if (answer.kind !== 'found') throw new Error(`host ${host}: ${answer.reason}`)
    address = answer.addresses[0] ?? ''
  }
  return { family: isIP(address) === 6 ? 'inet6' : 'inet', address, port }
}

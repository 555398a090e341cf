/**
 * connect - a connection to one address of a server
 *
 * From smtp_bind_address where set, else from the only address that inet_interfaces allows, so that the world sees
 * the address that the administrator meant. Source: Postfix 3.7.
 */
import { isIP } from 'node:net'
import { ConfigError } from '@posthorn/config/config-error'
import { log } from '@posthorn/log/log'
import type { SocketAddress } from '@posthorn/native/socket'
import { SystemError } from '@posthorn/native/system-error'
import { connectStream, StreamTimeoutError, type ByteStream } from '@posthorn/stream/byte-stream'
import type { ClientOptions } from './client-options.ts'
import { localFailure, type Failure } from './failure.ts'
import { describeEndpoint, isIpv6, type ServerHost } from './server-host.ts'

/** unix(7): with its NUL it must fit into 108 octets. */
const MAX_PATH_OCTETS = 107

export type Connection =
  { kind: 'connected'; stream: ByteStream } | { kind: 'failed'; failure: Failure }

/** @throws {ConfigError} the parameter is no address */
function configuredBind(options: ClientOptions, forIpv6: boolean): string | undefined {
  const value = forIpv6 ? options.bindAddress6 : options.bindAddress
  if (value === '') return undefined
  const name = `${options.protocol}_bind_address${forIpv6 ? '6' : ''}`
  const [, inner] = /^\[(.*)\]$/.exec(value) ?? []
  if (value.startsWith('[') && inner === undefined) {
    throw new ConfigError(`smtp_connect_addr: malformed ${name} parameter: ${value}`)
  }
  const address = inner ?? value
  if (isIP(address) !== 0) return address
  throw new ConfigError(
    `smtp_connect_addr: bad ${name} parameter: ${address}: Name or service not known`,
  )
}

function onlyInterface(interfaces: ReadonlySet<string>, forIpv6: boolean): string | undefined {
  const family = [...interfaces].filter((address) => address.includes(':') === forIpv6)
  const [only] = family
  if (only === undefined || family.length > 1) return undefined
  return only === '::1' || only.startsWith('127.') ? undefined : only
}

function socketAddress(address: string, port: number): SocketAddress {
  return { family: address.includes(':') ? 'inet6' : 'inet', address, port }
}

/**
 * `interfaces`: inet_interfaces, as addresses. Failures are logged as they happen.
 *
 * @throws {ConfigError} smtp_bind_address is no address
 */
export async function connectHost(
  host: ServerHost,
  options: ClientOptions,
  interfaces: ReadonlySet<string>,
): Promise<Connection> {
  const forIpv6 = isIpv6(host)
  const configured = configuredBind(options, forIpv6)
  const bind = configured ?? onlyInterface(interfaces, forIpv6)
  const target = socketAddress(host.address, host.port)
  const { connectMs: timeoutMs } = options.timeouts
  const { windowBytes } = options
  const isConfigured = configured !== undefined
  try {
    if (bind === undefined) {
      return {
        kind: 'connected',
        stream: await connectStream(target, { timeoutMs, windowBytes }),
      }
    }
    const from = socketAddress(bind, 0)
    if (from.family !== target.family) {
      const reason = 'Address family not supported by protocol'
      return await connectUnbound(host, options, { bind, reason, isConfigured })
    }
    const stream = await connectStream(target, { timeoutMs, windowBytes, bind: from })
    return { kind: 'connected', stream }
  } catch (error) {
    if (error instanceof SystemError && error.syscall === 'bind' && bind !== undefined) {
      return connectUnbound(host, options, { bind, reason: error.reason, isConfigured })
    }
    const failure = connectFailure(host, error)
    log.info(failure.reason)
    return { kind: 'failed', failure }
  }
}

/** From any address, where smtp_bind_address_enforce allows it. */
async function connectUnbound(
  host: ServerHost,
  options: ClientOptions,
  trouble: { bind: string; reason: string; isConfigured: boolean },
): Promise<Connection> {
  log.warning(`smtp_connect_addr: bind ${trouble.bind}: ${trouble.reason}`)
  if (options.enforcesBind && trouble.isConfigured) {
    const failure = localFailure('4.4.0', 'server configuration error')
    log.info(failure.reason)
    return { kind: 'failed', failure }
  }
  return connectHost(host, { ...options, bindAddress: '', bindAddress6: '' }, new Set())
}

/** LMTP over a Unix socket. */
export async function connectPath(host: ServerHost, options: ClientOptions): Promise<Connection> {
  if (host.address.length > MAX_PATH_OCTETS) {
    log.warning(`unix-domain name too long: ${host.address}`)
    return { kind: 'failed', failure: localFailure('4.3.5', 'Server configuration error') }
  }
  try {
    const stream = await connectStream(
      { family: 'unix', path: host.address },
      { timeoutMs: options.timeouts.connectMs },
    )
    return { kind: 'connected', stream }
  } catch (error) {
    return { kind: 'failed', failure: connectFailure(host, error) }
  }
}

/** @throws the error itself when it is not the connection's */
function connectFailure(host: ServerHost, error: unknown): Failure {
  const text =
    error instanceof StreamTimeoutError
      ? 'Connection timed out'
      : error instanceof SystemError
        ? error.reason
        : undefined
  if (text === undefined) throw error
  return localFailure('4.4.1', `connect to ${describeEndpoint(host)}: ${text}`)
}

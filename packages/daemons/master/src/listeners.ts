/**
 * listeners - creates what a service listens on
 *
 * Unix-domain sockets and FIFOs are made anew, as mail_owner; access control is by directory mode only.
 * Nothing is removed when master ends: the next one replaces it. Source: Postfix 3.7 master(5).
 */
/* eslint-disable n/no-sync -- at start and at reload */
import { chmodSync, constants, openSync, rmSync } from 'node:fs'
import { ConfigError } from '@posthorn/config/config-error'
import type { MasterEntry } from '@posthorn/config/master-config'
import { DatagramSocket } from '@posthorn/native/datagram'
import { Descriptor } from '@posthorn/native/descriptor'
import { listenOn, type SocketAddress } from '@posthorn/native/socket'
import { errorReason } from '@posthorn/native/system-error'
import { makeFifo } from '@posthorn/native/user'
import type { Identity } from './identity.ts'
import type { InetEndpoint } from './inet-endpoint.ts'

/** Whoever may enter the directory may connect. */
const SOCKET_MODE = 0o666
const FIFO_MODE = 0o622
/** unix(7): 108 octets with the terminator. */
const LONGEST_SOCKET_PATH = 107

export interface ListenSettings {
  readonly backlog: number
  /** tcp_windowsize; 0 = the system's. */
  readonly windowBytes: number
}

/** `private/rewrite`, below the queue directory. */
export function localEndpoint(entry: MasterEntry): string {
  return `${entry.isPrivate ? 'private' : 'public'}/${entry.service}`
}

/** One per address for inet, else one. @throws {ConfigError} in the words of a fatal line */
export function createListeners(
  entry: MasterEntry,
  endpoint: InetEndpoint | undefined,
  settings: ListenSettings,
  identity: Identity,
): Descriptor[] {
  if (endpoint === undefined) {
    return [identity.asMailOwner(() => createLocal(entry, settings))]
  }
  const created: Descriptor[] = []
  try {
    for (const address of endpoint.addresses) {
      created.push(listenOn(address, { ...settings, reusePort: true }))
    }
    return created
  } catch (error) {
    const failed: SocketAddress | undefined = endpoint.addresses[created.length]
    for (const listener of created) listener.close()
    const where = failed === undefined ? endpoint.name : `${failed.address} port ${failed.port}`
    throw new ConfigError(`bind ${where}: ${errorReason(error)}`, { cause: error })
  }
}

function createLocal(entry: MasterEntry, settings: ListenSettings): Descriptor {
  const path = localEndpoint(entry)
  if (entry.type !== 'fifo' && path.length > LONGEST_SOCKET_PATH) {
    throw new ConfigError(`unix-domain name too long: ${path}`)
  }
  attempt(`remove ${path}`, () => {
    rmSync(path, { force: true })
  })
  if (entry.type === 'fifo') {
    return attempt(`fifo_listen: create fifo ${path}`, () => createFifo(path))
  }
  return attempt(`bind: ${path}`, () => {
    if (entry.type === 'unix-dgram') return DatagramSocket.bind(path, SOCKET_MODE).detach()
    const listener = listenOn({ family: 'unix', path }, settings)
    try {
      chmodSync(path, SOCKET_MODE)
    } catch (error) {
      listener.close()
      throw error
    }
    return listener
  })
}

/** @throws {ConfigError} `what`, and why it failed */
function attempt<Result>(what: string, action: () => Result): Result {
  try {
    return action()
  } catch (error) {
    throw new ConfigError(`${what}: ${errorReason(error)}`, { cause: error })
  }
}

/** Open for reading and writing, so that it never reports end of file; new, so there is nothing to drain. */
function createFifo(path: string): Descriptor {
  makeFifo(path, FIFO_MODE)
  chmodSync(path, FIFO_MODE)
  return Descriptor.adopt(openSync(path, constants.O_RDWR | constants.O_NONBLOCK))
}

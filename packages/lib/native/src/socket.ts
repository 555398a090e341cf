/**
 * socket - stream sockets and pipes as descriptors
 *
 * Everything here is non-blocking and close-on-exec. Addresses are numeric; names are resolved elsewhere.
 *
 * Source: socket(7), ip(7), ipv6(7), unix(7).
 */
import { Descriptor } from './descriptor.ts'
import { native, type NativeAddress } from './load.ts'
import { startWatching, stopWatching, WATCH_LISTENER } from './poller.ts'
import { checked, failure } from './system-error.ts'

export type SocketAddress =
  { family: 'inet' | 'inet6'; address: string; port: number } | { family: 'unix'; path: string }

export interface ListenOptions {
  /** Connections that wait in the kernel until somebody accepts them. */
  backlog: number
  /** SO_REUSEPORT, as Postfix sets it: master(8) can then be replaced without a gap. */
  reusePort?: boolean
  /** Send and receive buffer; 0 = the system's choice. */
  windowBytes?: number
}

type AddressArguments = [family: number, address: string, port: number]

function toArguments(address: SocketAddress): AddressArguments {
  if (address.family === 'unix') return [0, address.path, 0]
  return [address.family === 'inet' ? 4 : 6, address.address, address.port]
}

function toAddress(address: NativeAddress | number): SocketAddress {
  if (typeof address === 'number') throw failure(address)
  if (address.family === 'unix') return { family: 'unix', path: address.path }
  return { family: address.family, address: address.address, port: address.port }
}

function toPair(pair: [number, number] | number): [Descriptor, Descriptor] {
  if (typeof pair === 'number') throw failure(pair)
  return [Descriptor.fresh(pair[0]), Descriptor.fresh(pair[1])]
}

/**
 * Starts a connection. It may be in progress: when the descriptor becomes writable, connectResult() tells.
 * `windowBytes`: send and receive buffer, set before the peer is told of them; 0 = the system's choice.
 * @throws {SystemError} EAGAIN: a Unix-domain listener's backlog is full, try again later
 */
export function connectTo(
  address: SocketAddress,
  bind?: SocketAddress,
  windowBytes = 0,
): Descriptor {
  const local: AddressArguments = bind === undefined ? [-1, '', 0] : toArguments(bind)
  const fd = checked(native.connect(...toArguments(address), ...local, windowBytes))
  return Descriptor.fresh(fd, address.family === 'unix')
}

/** @throws {SystemError} why the connection failed, syscall 'connect' */
export function connectResult(d: Descriptor): void {
  checked(native.connectResult(d.fd))
}

/** @throws {SystemError} with the system call that failed: 'bind', 'listen', ... */
export function listenOn(address: SocketAddress, options: ListenOptions): Descriptor {
  const { backlog, reusePort = false, windowBytes = 0 } = options
  return Descriptor.fresh(
    checked(native.listen(...toArguments(address), backlog, reusePort, windowBytes)),
  )
}

export function localAddress(d: Descriptor): SocketAddress {
  return toAddress(native.localAddress(d.fd))
}

/** @throws {SystemError} ENOTCONN: the peer has gone already */
export function peerAddress(d: Descriptor): SocketAddress {
  return toAddress(native.peerAddress(d.fd))
}

export function socketPair(): [Descriptor, Descriptor] {
  return toPair(native.socketPair())
}

/** The read end, then the write end. */
export function pipePair(): [Descriptor, Descriptor] {
  return toPair(native.pipePair())
}

export function setKeepAlive(d: Descriptor): void {
  checked(native.setKeepAlive(d.fd))
}

export function setNoDelay(d: Descriptor): void {
  checked(native.setNoDelay(d.fd))
}

/** Somebody else took the connection, or it was gone before we came: accept(2). */
const IGNORED = new Set([
  'EAGAIN',
  'ECONNABORTED',
  'EINTR',
  'EPERM',
  'EPROTO',
  'ENETDOWN',
  'ENOPROTOOPT',
  'EHOSTDOWN',
  'E64', // ENONET
  'EHOSTUNREACH',
  'EOPNOTSUPP',
  'ENOTSUP', // the same number
  'ENETUNREACH',
])
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'])
const EXHAUSTED_PAUSE_MS = 1000

/**
 * Accepts connections on a listener that other processes may share: one per wake-up, and none while paused, so that
 * they stay in the backlog for others. Starts paused. Owns the listener.
 */
export class Acceptor {
  readonly #listener: Descriptor
  readonly #accepted: (client: Descriptor, peer: SocketAddress) => void
  #token: number | undefined
  #recovery: NodeJS.Timeout | undefined

  /** `accepted` gets ownership of each client. What it throws becomes an uncaught exception. */
  constructor(listener: Descriptor, accepted: (client: Descriptor, peer: SocketAddress) => void) {
    this.#listener = listener
    this.#accepted = accepted
  }

  resume(): void {
    if (this.#token !== undefined || this.#recovery !== undefined) return
    this.#token = startWatching(this.#listener.fd, WATCH_LISTENER, () => {
      this.#accept()
    })
  }

  /** Leaves the epoll set: connections wake other processes only. */
  pause(): void {
    clearTimeout(this.#recovery)
    this.#recovery = undefined
    if (this.#token === undefined) return
    stopWatching(this.#listener.fd, this.#token)
    this.#token = undefined
  }

  close(): void {
    this.pause()
    this.#listener.close()
  }

  #accept(): void {
    const fd = native.accept(this.#listener.fd)
    if (fd >= 0) {
      this.#accepted(Descriptor.fresh(fd), toAddress(native.acceptedPeer()))
      return
    }
    const error = failure(fd)
    if (EXHAUSTED.has(error.code)) this.#recover()
    else if (!IGNORED.has(error.code)) throw error
  }

  /** The listener stays readable while descriptors are short: looking at once again would only spin. */
  #recover(): void {
    this.pause()
    this.#recovery = setTimeout(() => {
      this.#recovery = undefined
      this.resume()
    }, EXHAUSTED_PAUSE_MS)
  }
}

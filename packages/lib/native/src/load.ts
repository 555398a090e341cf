/**
 * load - finds and loads the C addon, and says what it exports
 *
 * A bundled program names the addon in `globalThis.posthornNativePath`; sources run from the repository find it in
 * build/libexec. Every call that gives a number gives -errno when it fails (system-error.ts makes that an exception);
 * wrong argument types throw TypeError. The rest of the package wraps these; nobody else imports this file.
 */
import { fileURLToPath } from 'node:url'

/** As the addon gives it: see SocketAddress in socket.ts. */
export interface NativeAddress {
  readonly family: 'inet' | 'inet6' | 'unix'
  readonly address: string
  readonly port: number
  readonly path: string
}

/** `undefined`, or errno and the name of the system call that failed. */
export type JobResult = readonly [errno: number, syscall: string] | undefined

export interface NativeAddon {
  failedCall: () => string
  errorText: (errno: number) => string
  setCompilerFlag: (flag: string) => void
  collectGarbage: () => void

  adopt: (fd: number) => number
  setBlocking: (fd: number) => number
  close: (fd: number) => number
  read: (fd: number, into: Buffer) => number
  readText: (fd: number, limit: number) => string | number
  write: (fd: number, octets: string | Buffer) => number
  bytesReadable: (fd: number) => number

  setDispatcher: (events: Int32Array, dispatch: (count: number) => void) => void
  watch: (fd: number, token: number, kind: number) => number
  rewatch: (fd: number, token: number, kind: number) => number
  unwatch: (fd: number) => number

  connect: (
    family: number,
    address: string,
    port: number,
    bindFamily: number,
    bindAddress: string,
    bindPort: number,
    windowBytes: number,
  ) => number
  connectResult: (fd: number) => number
  listen: (
    family: number,
    address: string,
    port: number,
    backlog: number,
    reusePort: boolean,
    windowBytes: number,
  ) => number
  accept: (fd: number) => number
  acceptedPeer: () => NativeAddress
  localAddress: (fd: number) => NativeAddress | number
  peerAddress: (fd: number) => NativeAddress | number
  socketPair: () => [number, number] | number
  pipePair: () => [number, number] | number
  setKeepAlive: (fd: number) => number
  setNoDelay: (fd: number) => number
  peerCredentials: (fd: number) => { pid: number; uid: number; gid: number } | number

  sendDescriptor: (fd: number, passed: number) => number
  receiveDescriptor: (fd: number) => number

  connectDatagram: (path: string) => number
  bindDatagram: (path: string) => number
  sendDatagram: (fd: number, octets: string | Buffer, waitMs: number) => number
  receiveDatagram: (fd: number) => string | number

  storeFile: (
    fd: number,
    parts: readonly (number | string | Buffer)[],
    from: string,
    to: string,
    mode: number,
    sync: boolean,
    close: boolean,
  ) => Promise<JobResult>

  retireFile: (path: string, parked: string, slot: string) => Promise<JobResult>
  prepareFiles: (
    directory: string,
    slot: number,
    slots: number,
    paths: readonly string[],
  ) => Promise<readonly number[]>

  flock: (fd: number, operation: number) => number
  flockWait: (fd: number, operation: number) => Promise<JobResult> | number
  fcntlLock: (fd: number, type: number) => number

  findUser: (name: string) => NativeUser | number | undefined
  findUserById: (uid: number) => NativeUser | number | undefined
  findGroup: (name: string) => { name: string; gid: number } | number | undefined
  becomeUser: (name: string, uid: number, gid: number) => number
  changeRoot: (path: string) => number
  startSession: () => number
  makeFifo: (path: string, mode: number) => number

  setAlarm: (seconds: number) => number
}

export interface NativeUser {
  name: string
  uid: number
  gid: number
  home: string
  shell: string
  gecos: string
}

declare global {
  /** Set by the first line of a bundled program: the addon's absolute path. */
  var posthornNativePath: string | undefined
}

function load(): NativeAddon {
  const path =
    globalThis.posthornNativePath ??
    fileURLToPath(new URL('../../../../build/libexec/posthorn-native.node', import.meta.url))
  const holder = { exports: {} }
  process.dlopen(holder, path)
  return holder.exports as NativeAddon
}

export const native = load()

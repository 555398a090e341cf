/**
 * transport - what a ByteStream speaks through: a descriptor, or TLS over one
 *
 * Nothing here waits. `maybeReadable` and `maybeWritable` say whether trying is worth it; a watcher hears when that changes.
 * The shape is that of Descriptor, which is the usual transport.
 */
export interface Transport {
  readonly maybeReadable: boolean
  readonly maybeWritable: boolean
  /** The peer ended its side, or the connection failed. */
  readonly hasHungUp: boolean
  readonly isWatched: boolean
  /** Octets that readText() would give now. @throws {SystemError} */
  bytesReadable: () => number
  /** '' is the end, undefined: would have waited. @throws {SystemError} */
  readText: (limit?: number) => string | undefined
  /** Octets that were taken, 0: would have waited. @throws {SystemError} EPIPE: the peer is gone */
  write: (octets: string | Buffer) => number
  /** `wake` gets READABLE, WRITABLE and HANGUP bits whenever readiness changes. One watcher; a second call replaces it. */
  watch: (wake: (ready: number) => void) => void
  unwatch: () => void
  /** What was written still goes out, as far as it can without a wait. Idempotent. */
  close: () => void
}

/**
 * wakeup-timer - lets a service do its periodic work: one `W` now and then
 *
 * With `?` it sleeps until the service has been used once. master is an ordinary trigger client here: the process that is
 * started for it finds the octet on its listener. Source: Postfix 3.7 master(5).
 */
import { constants } from 'node:os'
import type { MasterEntry } from '@posthorn/config/master-config'
import { connectStream } from '@posthorn/stream/byte-stream'
import { pipePair, type SocketAddress } from '@posthorn/native/socket'
import { SystemError } from '@posthorn/native/system-error'
import { trigger } from '@posthorn/wire/trigger'

const WAKE_UP = 'W'
const TIME_LIMIT_MS = 1000

export class WakeupTimer {
  readonly #wake: () => void
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #isWaitingForUse: boolean

  /** `everySeconds` 0 = never. */
  constructor(everySeconds: number, isOnDemand: boolean, wake: () => void) {
    this.#everyMs = everySeconds * 1000
    this.#isWaitingForUse = isOnDemand
    this.#wake = wake
  }

  /** Wakes at once, and then every interval. */
  start(): void {
    if (this.#everyMs === 0 || this.#isWaitingForUse || this.#timer !== undefined) return
    this.#timer = setInterval(this.#wake, Math.min(this.#everyMs, 0x7fffffff))
    this.#wake()
  }

  /** The service was used: a timer that waited for that starts. */
  serviceUsed(): void {
    this.#isWaitingForUse = false
    this.start()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

/** @throws {Error} nobody listens there; datagram services have no trigger */
export async function wakeService(
  type: MasterEntry['type'],
  address: SocketAddress,
): Promise<void> {
  if (type === 'unix-dgram') throw new SystemError('trigger', constants.errno.EOPNOTSUPP)
  if (address.family === 'unix' && type !== 'pass') {
    await trigger(address.path, WAKE_UP, TIME_LIMIT_MS)
    return
  }
  const stream = await connectStream(address, { timeoutMs: TIME_LIMIT_MS })
  if (type !== 'pass') {
    stream.write(`${WAKE_UP}\0`)
    await stream.end()
    return
  }
  // the connection that is passed is a pipe with the octets in it
  const [reader, writer] = pipePair()
  try {
    writer.write(`${WAKE_UP}\0`)
    await stream.sendDescriptor(reader)
  } finally {
    reader.close()
    writer.close()
    stream.close()
  }
}

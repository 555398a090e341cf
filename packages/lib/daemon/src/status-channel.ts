/**
 * status-channel - tells master(8) whether this process can take another client
 *
 * Descriptor 5 is one end of a socket pair that all processes of the service share; master holds the other
 * end and never writes. Its end of file means: leave when idle, for master has gone or has reloaded.
 * A new process counts as available from the fork on, so it says nothing at start; under our own master it
 * says once that it serves many. Source: Postfix 3.7.
 */
import type { Descriptor } from '@posthorn/native/descriptor'
import { encodeStatusMessage, PROCESS_STATE } from '@posthorn/wire/status-message'

export type ProcessState = keyof typeof PROCESS_STATE

export class StatusChannel {
  readonly #descriptor: Descriptor
  readonly #generation: number
  #isGone = false

  /** `generation` is the number that master gave in GENERATION. */
  constructor(descriptor: Descriptor, generation: number) {
    this.#descriptor = descriptor
    this.#generation = generation
  }

  /** `gone` is called once, at the end of file; also when an AVAIL could not be told. */
  watch(gone: () => void): void {
    const scratch = Buffer.alloc(16)
    const look = (): void => {
      if (!this.#isGone && this.#isAtEnd(scratch)) {
        this.#isGone = true
        gone()
      }
    }
    this.#descriptor.watch(look)
  }

  #isAtEnd(scratch: Buffer): boolean {
    try {
      return this.#descriptor.read(scratch) === 0
    } catch {
      return true
    }
  }

  /** False when master is no longer there to hear it. */
  tell(...states: ProcessState[]): boolean {
    const octets = states
      .map((state) =>
        encodeStatusMessage({
          pid: process.pid,
          generation: this.#generation,
          state: PROCESS_STATE[state],
        }),
      )
      .join('')
    try {
      this.#descriptor.write(octets)
      return true
    } catch {
      return false
    }
  }
}

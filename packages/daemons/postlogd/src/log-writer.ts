/**
 * log-writer - puts lines into maillog_file
 *
 * What arrives in one turn of the event loop is one append. The octets are written as they came; writers
 * have made them printable, and only local programs reach the socket. The descriptor is opened while the
 * process still has its privileges, and stays: after a rotation master(8) starts a fresh process.
 */
import { openSync, writeSync } from 'node:fs'

export class LogWriter {
  readonly #fd: number
  #pending = ''
  #isScheduled = false

  /** @throws {Error} of open(2) */
  constructor(path: string) {
    // eslint-disable-next-line n/no-sync -- once, at start
    this.#fd = openSync(path, 'a', 0o644)
  }

  /** One datagram: a line, or several joined by LF. */
  add(lines: string): void {
    this.#pending += `${lines}\n`
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.flush()
    })
  }

  flush(): void {
    this.#isScheduled = false
    const octets = Buffer.from(this.#pending, 'latin1')
    this.#pending = ''
    let written = 0
    try {
      while (written < octets.length) {
        // eslint-disable-next-line n/no-sync -- an append to the page cache, about 10 us for a turn's lines
        written += writeSync(this.#fd, octets, written)
      }
    } catch {
      // the disk is full: these lines are lost, and there is no log to say so
    }
  }
}

/**
 * postlog-sink - log lines for postlogd(8)
 *
 * The lines of one turn travel in one datagram, joined by LF: postlogd(8), ours and Postfix's, appends the
 * octets as they are and adds the last LF. It receives 4096 octets at most.
 * Without a reader the lines are lost, unless the program may write the file itself (file-sink.ts).
 * Source: Postfix 3.7 postlogd(8); the form of a line is the file's.
 */
import { DatagramQueue } from './datagram-queue.ts'
import { appendToLog } from './file-sink.ts'
import { logStampClock } from './log-stamp.ts'
import type { LogSink, Severity } from './log-sink.ts'

/** Octets in one datagram at most; a single line is at most about 2100. */
const DATAGRAM_LIMIT = 4000

export interface PostlogOptions {
  /** Absolute: the connection is made at once, before a chroot. */
  readonly socketPath: string
  readonly hostname: string
  readonly tag: string
  readonly fallbackFile: string | undefined
}

export class PostlogSink implements LogSink {
  readonly #options: PostlogOptions
  readonly #queue: DatagramQueue
  readonly #head: string
  readonly #fallbackFile: string | undefined
  readonly #stamp = logStampClock('0')
  #pending = ''

  constructor(options: PostlogOptions) {
    this.#options = options
    this.#queue = new DatagramQueue(options.socketPath)
    this.#head = ` ${options.hostname} ${options.tag}: `
    this.#fallbackFile = options.fallbackFile
  }

  /** It is what somebody with these options would open. */
  serves(options: PostlogOptions): boolean {
    return JSON.stringify(options) === JSON.stringify(this.#options)
  }

  write(_severity: Severity, text: string): void {
    const line = this.#stamp() + this.#head + text
    if (this.#pending === '') {
      this.#pending = line
    } else if (this.#pending.length + line.length < DATAGRAM_LIMIT) {
      this.#pending += `\n${line}`
    } else {
      this.#queue.push(this.#pending)
      this.#pending = line
    }
  }

  flush(): boolean {
    if (this.#pending !== '') this.#queue.push(this.#pending)
    this.#pending = ''
    switch (this.#queue.send()) {
      case 'sent':
        return true
      case 'full':
        return false
      case 'lost': {
        const lost = this.#queue.takeWaiting()
        if (this.#fallbackFile !== undefined) this.#append(this.#fallbackFile, lost)
        return true
      }
    }
  }

  #append(file: string, datagrams: readonly string[]): void {
    try {
      appendToLog(file, `${datagrams.join('\n')}\n`)
    } catch {
      // no directory for the log file yet: the line is lost, the command goes on
    }
  }

  close(): void {
    this.#queue.close()
  }
}

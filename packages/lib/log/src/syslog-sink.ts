/**
 * syslog-sink - log lines for the system's syslog daemon
 *
 * One datagram per line on /dev/log, in the form of RFC 3164 4.1 as the C library sends it: priority, time,
 * tag, text; no host name. A missing or silent syslog daemon costs the lines and nothing else.
 */
import { DatagramQueue } from './datagram-queue.ts'
import { logStampClock } from './log-stamp.ts'
import type { LogSink, Severity } from './log-sink.ts'

/** RFC 3164 4.1.1, with the names that syslog_facility accepts. */
const FACILITIES: Readonly<Record<string, number>> = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
}

const PRIORITIES: Readonly<Record<Severity, number>> = {
  debug: 7,
  info: 6,
  warning: 4,
  error: 3,
  fatal: 2,
  panic: 2,
}

/** The facility's number; undefined for a name that syslog(3) does not know. */
export function findFacility(name: string): number | undefined {
  return FACILITIES[name.toLowerCase()]
}

export class SyslogSink implements LogSink {
  readonly #queue: DatagramQueue
  readonly #facility: number
  readonly #tag: string
  readonly #stamp = logStampClock(' ')

  constructor(options: { facility: number; tag: string; socketPath?: string }) {
    this.#queue = new DatagramQueue(options.socketPath ?? '/dev/log')
    this.#facility = options.facility
    this.#tag = options.tag
  }

  write(severity: Severity, text: string): void {
    const priority = this.#facility * 8 + PRIORITIES[severity]
    this.#queue.push(`<${priority}>${this.#stamp()} ${this.#tag}: ${text}`)
  }

  /** A line of another process, `TAG[PID]: TEXT`, with the priority info. */
  relay(line: string): void {
    this.#queue.push(`<${this.#facility * 8 + PRIORITIES.info}>${this.#stamp()} ${line}`)
  }

  flush(): boolean {
    const outcome = this.#queue.send()
    if (outcome === 'lost') this.#queue.takeWaiting()
    return outcome !== 'full'
  }

  close(): void {
    this.#queue.close()
  }
}

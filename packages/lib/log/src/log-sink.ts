/**
 * log-sink - where log lines go
 *
 * A sink takes lines without touching the system and sends what it holds when flushed, once per turn of the
 * event loop: lines of one turn cost one system call. A sink never throws: losing a line must not lose mail.
 */

export type Severity = 'debug' | 'info' | 'warning' | 'error' | 'fatal' | 'panic'

export interface LogSink {
  /** `text` is printable and carries its severity prefix. */
  write: (severity: Severity, text: string) => void
  /** Sends what is held; false when some of it still waits for room. */
  flush: () => boolean
  /** Another sink takes over; the descriptor is given back. A sink that is used again opens a new one. */
  close: () => void
}

/**
 * stderr-sink - log lines on the standard error stream
 *
 * For commands run by a person, and for daemons started with -V. The form is `PROGRAM: TEXT`: no time, no
 * process id. Lines go out at once, so that they stand in order with what the program prints itself.
 */
import { writeSync } from 'node:fs'
import type { LogSink, Severity } from './log-sink.ts'

export class StderrSink implements LogSink {
  readonly #program: string

  constructor(program: string) {
    this.#program = program
  }

  write(_severity: Severity, text: string): void {
    try {
      // eslint-disable-next-line n/no-sync -- a person's terminal; order with other output matters
      writeSync(2, Buffer.from(`${this.#program}: ${text}\n`, 'latin1'))
    } catch {
      // nobody reads standard error: there is no place left to say so
    }
  }

  flush(): boolean {
    return true
  }

  close(): void {
    // nothing is held open
  }
}

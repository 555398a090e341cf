/**
 * file-sink - log lines appended to maillog_file by this process itself
 *
 * Only for master(8) and for commands that root runs while postlogd(8) cannot be reached: before start, after
 * stop. Daemons never write the file. A turn's lines are one append, so lines of two writers do not mix.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { logStampClock } from './log-stamp.ts'
import type { LogSink, Severity } from './log-sink.ts'

/** Appends whole lines to `path`, created with mode 0644. @throws {Error} of the system call that failed. */
export function appendToLog(path: string, lines: string): void {
  // eslint-disable-next-line n/no-sync -- fall-back of commands, one call a turn
  const fd = openSync(path, 'a', 0o644)
  try {
    // eslint-disable-next-line n/no-sync -- as above
    writeSync(fd, Buffer.from(lines, 'latin1'))
  } finally {
    // eslint-disable-next-line n/no-sync -- as above
    closeSync(fd)
  }
}

export class FileSink implements LogSink {
  readonly #path: string
  readonly #head: string
  readonly #stamp = logStampClock('0')
  #pending = ''

  /** `tag` is `SYSLOG_NAME/PROGRAM[PID]`. */
  constructor(path: string, hostname: string, tag: string) {
    this.#path = path
    this.#head = ` ${hostname} ${tag}: `
  }

  write(_severity: Severity, text: string): void {
    this.#pending += `${this.#stamp()}${this.#head}${text}\n`
  }

  flush(): boolean {
    const lines = this.#pending
    this.#pending = ''
    if (lines === '') return true
    try {
      appendToLog(this.#path, lines)
    } catch {
      // the log directory is missing or full: the command's own work goes on
    }
    return true
  }

  close(): void {
    // nothing is held open
  }
}

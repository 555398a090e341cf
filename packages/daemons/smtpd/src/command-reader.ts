/**
 * command-reader - takes command lines from the client
 *
 * A line ends with LF; the CR before it is dropped. A line beyond the limit is cut: its beginning is
 * answered as a command, the rest up to LF is thrown away as it comes.
 */
import { EndOfStreamError, type ByteStream } from '@posthorn/stream/byte-stream'

export interface CommandLine {
  readonly text: string
  /** Ended with LF alone. */
  readonly hasBareLf: boolean
  /** Beyond the limit: `text` is its beginning. */
  readonly isCut: boolean
}

/** Waits for the rest of an overlong line and drops it. */
async function skipLine(stream: ByteStream): Promise<void> {
  for (;;) {
    const lf = stream.buffered.indexOf('\n')
    if (lf >= 0) {
      stream.take(lf + 1)
      return
    }
    stream.take(stream.buffered.length)
    if (!(await stream.fill())) throw new EndOfStreamError('Cannot read command: the peer ended')
  }
}

/** The next line if it is buffered. */
export function takeCommandLine(stream: ByteStream, limit: number): CommandLine | undefined {
  const buffered = stream.buffered
  const lf = buffered.indexOf('\n')
  if (lf < 0 || lf > limit) return undefined
  const line = stream.take(lf + 1)
  const end = line.endsWith('\r\n') ? lf - 1 : lf
  return { text: line.slice(0, end), hasBareLf: end === lf, isCut: false }
}

/** @throws {EndOfStreamError | StreamTimeoutError} */
export async function readCommandLine(stream: ByteStream, limit: number): Promise<CommandLine> {
  for (;;) {
    const line = takeCommandLine(stream, limit)
    if (line !== undefined) return line
    if (stream.buffered.length > limit) {
      const text = stream.take(limit)
      await skipLine(stream)
      return { text, hasBareLf: false, isCut: true }
    }
    if (!(await stream.fill())) throw new EndOfStreamError('Cannot read command: the peer ended')
  }
}

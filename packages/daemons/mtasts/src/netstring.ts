/**
 * netstring - requests and replies of a socketmap on the wire: `LENGTH:OCTETS,`
 *
 * Limit: 10 000 octets for a request, which is checked before they are waited for.
 * Source: Postfix 3.7 socketmap_table(5).
 */
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { SocketmapError } from './mtasts-error.ts'

const REQUEST_LIMIT = 10_000
const LENGTH_DIGITS = 5

/** Waits for the whole of it. @throws {SocketmapError} malformed or too long. @throws {EndOfStreamError | StreamTimeoutError} */
export async function readNetstring(stream: ByteStream): Promise<string> {
  const digits = await readLength(stream)
  const length = Number(digits)
  if (length > REQUEST_LIMIT) {
    throw new SocketmapError(
      `Cannot read request of ${digits} octets: want ${REQUEST_LIMIT} or less`,
    )
  }
  const octets = await stream.readExactly(length + 1)
  if (!octets.endsWith(',')) throw new SocketmapError('Cannot read request: no comma at its end')
  return octets.slice(0, -1)
}

export function netstring(octets: string): string {
  return `${octets.length}:${octets},`
}

/** Octet by octet: what is no number is refused at once, however slowly the rest comes. */
async function readLength(stream: ByteStream): Promise<string> {
  let digits = ''
  for (;;) {
    const octet = await stream.readExactly(1)
    if (octet === ':' && digits !== '') return digits
    digits += octet
    if (!/^(?:0|[1-9][0-9]*)$/.test(digits) || digits.length > LENGTH_DIGITS) {
      throw new SocketmapError('Cannot read request: want a length and a colon first')
    }
  }
}

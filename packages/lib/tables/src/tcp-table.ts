/**
 * tcp-table - `tcp:host:port`: a server that answers lines
 *
 *     get SPACE key LF     200 SPACE value LF | 500 SPACE text LF (no such key) | 400 SPACE text LF (try again)
 *
 * `%`, white space and what does not print travel as %XX. The connection is kept; requests go one after the other.
 * Limits: 100 seconds for each wait, 4096 octets for a reply. Source: Postfix 3.7 tcp_table(5).
 */
import { openAskedTable } from './asked-table.ts'
import { ABSENT, found, tryAgain, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { parseEndpoint } from './table-endpoint.ts'
import { TableConnection } from './table-connection.ts'

const TIMEOUT_MS = 100_000
const REPLY_LIMIT = 4096

export function openTcpTable({ reference, name }: TableSource): LookupTable {
  const endpoint = parseEndpoint(name)
  if (endpoint === undefined) throw new TableOpenError(`bad tcp map "${reference}": want host:port`)
  const connection = new TableConnection(endpoint, TIMEOUT_MS)
  const ask = async (key: string): Promise<LookupResult> => {
    const reply = await connection.exchange(`get ${encodeOctets(key)}\n`, async (stream) =>
      stream.readUntil('\n', REPLY_LIMIT),
    )
    const text = decodeOctets(reply.slice(4))
    if (text === undefined) return tryAgain(`${reference}: bad reply "${reply.slice(0, 100)}"`)
    switch (reply.slice(0, 4)) {
      case '200 ':
        return found(text)
      case '500 ':
        return ABSENT
      case '400 ':
        return tryAgain(`${reference}: ${text}`)
      default:
        connection.drop()
        return tryAgain(`${reference}: bad reply "${reply.slice(0, 100)}"`)
    }
  }
  return openAskedTable(reference, reference, ask)
}

export function encodeOctets(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]/g, (char) => {
    return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}

/** undefined: a `%` that is not followed by two hexadecimal digits. */
export function decodeOctets(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined
  return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

/**
 * socketmap-table - `socketmap:inet:host:port:map` and `socketmap:unix:/path:map`: netstrings to a server
 *
 *     request: map SPACE key     reply: OK SPACE value | NOTFOUND | TEMP, TIMEOUT or PERM SPACE reason
 *
 * Limits: 100 seconds for each wait, 100000 octets for a reply. Source: Postfix 3.7 socketmap_table(5).
 */
import { openAskedTable } from './asked-table.ts'
import type { ByteStream } from '@posthorn/stream/byte-stream'
import { ABSENT, found, tryAgain, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { TableConnection } from './table-connection.ts'
import { parseEndpoint } from './table-endpoint.ts'

const TIMEOUT_MS = 100_000
const REPLY_LIMIT = 100_000
/** Digits of the largest length that we accept. */
const LENGTH_DIGITS = 6

export function openSocketmapTable({ reference, name }: TableSource): LookupTable {
  const { endpoint, map } = parseServer(name)
  const connection = new TableConnection(endpoint, TIMEOUT_MS)
  const ask = async (key: string): Promise<LookupResult> => {
    const request = `${map} ${key}`
    const reply = await connection.exchange(`${request.length}:${request},`, readNetstring)
    const [, status = reply, text = ''] = /^(\S+) ?(.*)$/s.exec(reply) ?? []
    switch (status) {
      case 'OK':
        // without a blank behind it there is no value: Postfix takes that for "no such key"
        return reply === 'OK' ? ABSENT : found(text)
      case 'NOTFOUND':
        return ABSENT
      case 'TEMP':
      case 'TIMEOUT':
      case 'PERM':
        return tryAgain(`${reference} socketmap server error: ${text === '' ? status : text}`)
      default:
        connection.drop()
        return tryAgain(`${reference}: bad reply "${reply.slice(0, 100)}"`)
    }
  }
  return openAskedTable(reference, `table ${reference} lookup error`, ask)
}

function parseServer(name: string): {
  endpoint: { host: string; port: number } | { path: string }
  map: string
} {
  const [, kind = '', server = '', map = ''] = /^(inet|unix):(.+):([^:]+)$/.exec(name) ?? []
  if (kind === '') throw new TableOpenError('socketmap requires server:socketmap argument')
  if (kind === 'unix') return { endpoint: { path: server }, map }
  const endpoint = parseEndpoint(server)
  if (endpoint === undefined)
    throw new TableOpenError(`bad socketmap server "${server}": want host:port`)
  return { endpoint, map }
}

async function readNetstring(stream: ByteStream): Promise<string> {
  const digits = await stream.readUntil(':', LENGTH_DIGITS + 1)
  const length = Number(digits)
  if (!/^\d+$/.test(digits) || length > REPLY_LIMIT)
    throw new RangeError(`bad netstring length "${digits}"`)
  const text = await stream.readExactly(length + 1)
  if (!text.endsWith(',')) throw new SyntaxError('netstring without comma at its end')
  return text.slice(0, -1)
}

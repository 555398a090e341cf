/**
 * status-line - the log line that says what became of a recipient
 *
 *   ID: to=<a@b>, orig_to=<c@d>, relay=mx[192.0.2.1]:25, conn_use=2, delay=0.5, delays=0.1/0/0.3/0.1, dsn=2.0.0, status=sent (250 Ok)
 *
 * Log analysers know this form. `delays` are: before the active queue, in the active queue, connection set-up,
 * transmission. What was done about TLS may follow them, `tls=may`, as in Postfix 3.11. Source: Postfix 3.7.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import type { MessageStats, Recipient } from '@posthorn/wire/delivery-request'
import type { RelayedStatus } from './delivery-status.ts'
import { formatDelay } from './format-delay.ts'

export interface StatusLineFormat {
  /** delay_logging_resolution_limit */
  delayDigits: number
  /** info_log_address_format: `internal` or `external` */
  addresses: string
}

/** `nowMs` stands in for a time that is not known (0) in `stats`. */
export function formatStatusLine(
  format: StatusLineFormat,
  queueId: string,
  recipient: Recipient,
  status: RelayedStatus,
  stats: MessageStats,
  outcome: string,
  nowMs: number,
): string {
  const show = (address: string): string =>
    format.addresses === 'internal' ? address : quoteAddress(address)
  const delay = (ms: number): string => formatDelay(ms, format.delayDigits)

  const { recipient: address, originalRecipient: original } = recipient
  let line = `${queueId}: to=<${show(address)}>`
  if (original !== '' && original.toLowerCase() !== address.toLowerCase()) {
    line += `, orig_to=<${show(original)}>`
  }
  line += `, relay=${status.relay}`
  if (stats.reuseCount > 0) line += `, conn_use=${stats.reuseCount + 1}`

  const deliveredMs = stats.deliveredMs || nowMs
  const activeMs = stats.activeMs || stats.arrivalMs
  const agentMs = stats.agentMs || deliveredMs
  const connectedMs = stats.connectedMs || agentMs
  line += `, delay=${delay(deliveredMs - stats.arrivalMs)}`
  line += `, delays=${delay(activeMs - stats.arrivalMs)}/${delay(agentMs - activeMs)}`
  line += `/${delay(connectedMs - agentMs)}/${delay(deliveredMs - connectedMs)}`
  if (status.tls !== undefined) line += `, tls=${status.tls}`
  return `${line}, dsn=${status.dsn}, status=${outcome} (${status.reason})`
}

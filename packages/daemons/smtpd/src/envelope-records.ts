/**
 * envelope-records - the envelope as smtpd(8) hands it to cleanup(8)
 *
 * The order is part of what other programs see in queue files. Source: Postfix 3.7.
 */
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { originFamily, originLabel } from './forwarded-origin.ts'
import { literalAddress } from './session-client.ts'
import type { Session } from './session.ts'
import type { Transaction } from './transaction.ts'

const attribute = (name: string, value: string): string =>
  encodeRecord(RECORD.attribute, `${name}=${value}`)

/** AF_INET and AF_INET6 of Linux. */
const FAMILY_NUMBERS = { inet: 2, inet6: 10 } as const

/** Everything before the first recipient. */
export function encodeEnvelope(
  session: Session,
  transaction: Transaction,
  queueId: string,
  rewriteContext: 'local' | 'remote',
): string {
  const { settings } = session.host
  const { parameters } = transaction
  const { client, helo, protocol } = session
  const seconds = Math.floor(transaction.arrivalMs / 1000)
  const micros = (transaction.arrivalMs % 1000) * 1000
  let records = encodeRecord(RECORD.time, `${seconds} ${micros}`)
  if (settings.contentFilter !== '') {
    records += encodeRecord(RECORD.filter, settings.contentFilter)
  }
  records +=
    attribute('log_ident', session.forwarded?.ident ?? queueId) +
    attribute('rewrite_context', rewriteContext)
  if (parameters.envelopeId !== '') records += attribute('envelope_id', parameters.envelopeId)
  if (parameters.returnFlags !== 0) records += attribute('ret_flags', `${parameters.returnFlags}`)
  records += encodeRecord(RECORD.sender, transaction.sender)
  if (parameters.encoding !== '') records += attribute('encoding', parameters.encoding)
  records +=
    loggedOrigin(session) +
    attribute('client_name', client.name) +
    attribute('reverse_client_name', client.reverseName) +
    attribute('client_address', client.address) +
    attribute('client_port', client.port) +
    attribute('server_address', client.serverAddress) +
    attribute('server_port', client.serverPort)
  if (helo !== undefined) records += attribute('helo_name', helo)
  records +=
    attribute('protocol_name', protocol) +
    attribute('client_address_type', `${FAMILY_NUMBERS[client.family]}`)
  if (parameters.verp !== '') records += encodeRecord(RECORD.verp, parameters.verp)
  return records
}

/** Whom log lines name: the client, or the one that XFORWARD has told of. */
function loggedOrigin({ forwarded, client, helo, protocol, host }: Session): string {
  const origin =
    forwarded?.hasClient === true
      ? {
          ...forwarded,
          family: originFamily(forwarded),
          label: originLabel(forwarded, host.settings.isPortLogged),
        }
      : { ...client, helo, protocol }
  return (
    attribute('log_client_name', origin.name) +
    attribute('log_client_address', literalAddress(origin)) +
    attribute('log_client_port', origin.port) +
    attribute('log_message_origin', origin.label) +
    (origin.helo === undefined ? '' : attribute('log_helo_name', origin.helo)) +
    attribute('log_protocol_name', origin.protocol)
  )
}

/** One recipient, with what the client said about notifications. */
export function encodeRecipient(
  address: string,
  notify: number,
  originalRecipient: string,
): string {
  const flags = notify === 0 ? '' : attribute('notify_flags', `${notify}`)
  return (
    flags + attribute('dsn_orig_rcpt', originalRecipient) + encodeRecord(RECORD.recipient, address)
  )
}

/** What follows the content: decisions of access tables, then the end. */
export function encodeExtracted(transaction: Transaction): string {
  const { actions } = transaction
  let records = encodeRecord(RECORD.extracted)
  if (actions.filter !== '') records += encodeRecord(RECORD.filter, actions.filter)
  if (actions.redirect !== '') records += encodeRecord(RECORD.redirect, actions.redirect)
  for (const address of actions.bcc) {
    records += encodeRecipient(address, 0, `rfc822;${address}`)
  }
  const flags = (actions.isHeld ? 4 : 0) | (actions.isDiscarded ? 8 : 0)
  if (flags !== 0) records += encodeRecord(RECORD.flags, `${flags}`)
  return records + encodeRecord(RECORD.end)
}

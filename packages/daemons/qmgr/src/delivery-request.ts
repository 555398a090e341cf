/**
 * delivery-request - what a delivery agent is told about the message
 */
import { isAscii, splitAddress } from '@posthorn/address/split-address'
import type { Recipient } from '@posthorn/wire/attr-groups'
import { SMTPUTF8_FLAGS } from '@posthorn/wire/attr-groups'
import { DELIVERY_FLAGS, type DeliveryRequest, noStats } from '@posthorn/wire/delivery-request'
import type { QmgrSettings } from './qmgr-settings.ts'
import type { ActiveMessage } from './schedule/message.ts'

const ALWAYS = DELIVERY_FLAGS.success | DELIVERY_FLAGS.bounce | DELIVERY_FLAGS.stay

export function deliveryRequest(
  settings: QmgrSettings,
  message: ActiveMessage,
  recipients: readonly Recipient[],
  destination: { nexthop: string; loadsConnections: boolean; storesConnections: boolean },
): DeliveryRequest {
  const { envelope, activeMs } = message.facts
  const { size, client, arrival } = envelope
  let flags = ALWAYS | traceFlagsOf(settings, message)
  if (destination.loadsConnections) flags |= DELIVERY_FLAGS.connectionLoad
  if (destination.storesConnections) flags |= DELIVERY_FLAGS.connectionStore
  const hasUtf8Recipient = recipients.some(({ recipient }) => !isAscii(recipient))
  return {
    flags,
    queueName: 'active',
    queueId: message.id,
    dataOffset: size.dataOffset,
    sizeBytes: size.contentLength,
    nexthop: destination.nexthop,
    encoding: envelope.encoding,
    smtpUtf8: size.smtputf8 | (hasUtf8Recipient ? SMTPUTF8_FLAGS.recipient : 0),
    sender: senderFor(message, recipients),
    envelopeId: envelope.envelopeId,
    returnFlags: envelope.returnFlags,
    stats: {
      ...noStats,
      arrivalMs: arrival.seconds * 1000 + arrival.microseconds / 1000,
      activeMs,
    },
    clientName: client.name,
    clientAddress: client.address,
    clientPort: client.port,
    clientProtocol: client.protocol,
    clientHelo: client.helo,
    saslMethod: envelope.saslMethod,
    saslUsername: envelope.saslUsername,
    saslSender: envelope.saslSender,
    logIdent: envelope.logIdent,
    rewriteContext: envelope.rewriteContext,
  }
}

/** What is to be traced about this message; delays too, when the sender was told of one. */
export function traceFlagsOf(settings: QmgrSettings, message: ActiveMessage): number {
  const { traceFlags, warnSeconds } = message.facts.envelope
  const wasWarned = settings.confirmsDelayCleared && warnSeconds < 0
  return wasWarned ? traceFlags | DELIVERY_FLAGS.recordDelay : traceFlags
}

/** With VERP the envelope sender names the recipient: `list+user=example.org@example.com`. */
function senderFor(message: ActiveMessage, recipients: readonly Recipient[]): string {
  const { envelope, verpDelimiters } = message.facts
  const [recipient] = recipients
  if (verpDelimiters === '' || recipient === undefined) return envelope.sender
  const from = splitAddress(envelope.sender)
  const to = splitAddress(recipient.originalRecipient || recipient.recipient)
  const named = to.domain === undefined ? to.local : to.local + verpDelimiters.charAt(1) + to.domain
  const local = from.local + verpDelimiters.charAt(0) + named
  return from.domain === undefined ? local : `${local}@${from.domain}`
}

/**
 * delivery-request - what qmgr(8) asks a delivery agent to do, and how it ended
 *
 *     S>C  { protocol }
 *     C>S  the request, then one list for each recipient
 *     S>C  { hop status, status }
 *     C    closes; the agent waits for this before it takes the next client, unless it stays for this one
 *
 * A client that closes without a request has changed its mind. The agent tells the fate of each recipient to bounce(8),
 * the log and the queue file; the reply only says whether anything is left to do, and whether the destination as
 * a whole is out of reach.
 *
 * Limits: a request has at most 100 000 recipients.
 * Source: Postfix 3.7 qmgr(8) and delivery agents.
 */
import {
  dsnGroup,
  emptyDsn,
  recipientFields,
  type DsnFields,
  type Recipient,
} from './attr-groups.ts'
import { defineList, int, long, text, type ListDefinition } from './attr-schema.ts'
import type { Channel } from './channel.ts'
import { STAY_FLAG, staysField } from './channel-pool.ts'
import { messageStats, type MessageStats } from './message-stats.ts'
import { AttrError } from './wire-error.ts'

export { emptyDsn, type DsnFields, type Recipient } from './attr-groups.ts'
export { noStats, type MessageStats } from './message-stats.ts'

export const deliveryProtocol = 'delivery_request_protocol'

export const DELIVERY_FLAGS = {
  /** mark each recipient that is finished in the queue file */
  success: 1,
  /** set in all requests, without meaning */
  bounce: 2,
  /** address probe of the mail system: do not deliver, report to verify(8) */
  mtaVerify: 256,
  /** probe that a user asked for: do not deliver, report to the trace service */
  userVerify: 512,
  /** deliver, and report to the trace service too */
  record: 1024,
  /** may look in the connection cache */
  connectionLoad: 2048,
  /** may store into the connection cache */
  connectionStore: 4096,
  /** record delayed delivery */
  recordDelay: 8192,
  /** Posthorn's own: another request may come on the same connection */
  stay: STAY_FLAG,
} as const

/** The flags that agents pass on to the bounce, defer, trace and verify services. */
export const traceFlags =
  DELIVERY_FLAGS.mtaVerify |
  DELIVERY_FLAGS.userVerify |
  DELIVERY_FLAGS.record |
  DELIVERY_FLAGS.recordDelay

/** An absent string is empty. Client attributes are as stored in the queue file. */
export interface DeliveryRequest {
  /** DELIVERY_FLAGS */
  readonly flags: number
  readonly queueName: string
  readonly queueId: string
  /** of the first record of the content */
  readonly dataOffset: number
  /** of the content */
  readonly sizeBytes: number
  readonly nexthop: string
  /** 8bit, 7bit, or empty */
  readonly encoding: string
  /** SMTPUTF8_FLAGS and SENDOPT_FLAGS */
  readonly smtpUtf8: number
  readonly sender: string
  readonly envelopeId: string
  /** RETURN_FLAGS */
  readonly returnFlags: number
  readonly stats: MessageStats
  readonly clientName: string
  readonly clientAddress: string
  readonly clientPort: string
  readonly clientProtocol: string
  readonly clientHelo: string
  readonly saslMethod: string
  readonly saslUsername: string
  readonly saslSender: string
  /** the original queue id, or empty */
  readonly logIdent: string
  /** local or remote */
  readonly rewriteContext: string
}

const RequestList: ListDefinition<DeliveryRequest & { readonly recipientCount: number }> =
  defineList({
    flags: int('flags'),
    queueName: text('queue_name'),
    queueId: text('queue_id'),
    dataOffset: long('offset'),
    sizeBytes: long('size'),
    nexthop: text('nexthop'),
    encoding: text('encoding'),
    smtpUtf8: int('smtputf8'),
    sender: text('sender'),
    envelopeId: text('envelope_id'),
    returnFlags: int('ret_flags'),
    stats: messageStats('time'),
    clientName: text('log_client_name'),
    clientAddress: text('log_client_address'),
    clientPort: text('log_client_port'),
    clientProtocol: text('log_protocol_name'),
    clientHelo: text('log_helo_name'),
    saslMethod: text('sasl_method'),
    saslUsername: text('sasl_username'),
    saslSender: text('sasl_sender'),
    logIdent: text('log_ident'),
    rewriteContext: text('rewrite_context'),
    recipientCount: int('recipient_count'),
  })

const RecipientList = defineList(recipientFields)

const recipientLimit = 100_000

/** The octets of a request with its recipients. @throws {AttrError} for a string with NUL */
export function encodeDeliveryRequest(
  request: DeliveryRequest,
  recipients: readonly Recipient[],
): string {
  let octets = RequestList.encode({ ...request, recipientCount: recipients.length })
  for (const recipient of recipients) octets += RecipientList.encode(recipient)
  return octets
}

export interface ReceivedRequest {
  readonly request: DeliveryRequest
  readonly recipients: readonly Recipient[]
}

/**
 * Reads a request as an agent does.
 *
 * @returns undefined when the client left without one
 * @throws {AttrError} malformed, or without recipients: reply with refusedDelivery
 */
export async function receiveDeliveryRequest(
  channel: Channel,
): Promise<ReceivedRequest | undefined> {
  const attrs = await channel.receive()
  if (attrs === undefined) return undefined
  const { recipientCount, ...request } = RequestList.parse(attrs)
  if (recipientCount === 0) {
    const { queueId, nexthop } = request
    throw new AttrError(`${queueId}: no recipients in delivery request for destination ${nexthop}`)
  }
  if (recipientCount < 1 || recipientCount > recipientLimit) {
    throw new AttrError(
      `Cannot parse recipient_count "${recipientCount}": want 1 to ${recipientLimit}`,
    )
  }
  const recipients: Recipient[] = []
  while (recipients.length < recipientCount) {
    const list = await channel.receive()
    if (list === undefined) {
      throw new AttrError(
        `Cannot receive delivery request: ${recipients.length} of ${recipientCount} recipients, want all`,
      )
    }
    recipients.push(RecipientList.parse(list))
  }
  return { request, recipients }
}

/** What is wrong with the destination as a whole; emptyDsn when nothing is. */
export type HopStatus = DsnFields

export interface DeliveryReply {
  /** status and reason count when `status` is not 0: qmgr(8) then holds back this destination */
  readonly hopStatus: HopStatus
  /** 0: every recipient was delivered or bounced. Otherwise something is left to do */
  readonly status: number
  /** the agent waits for another request on this connection, see channel-pool.ts */
  readonly stays: boolean
}

export const DeliveryReplyList: ListDefinition<DeliveryReply> = defineList({
  hopStatus: dsnGroup,
  status: int('status'),
  stays: staysField,
})

/** The reply to a request that cannot be worked on. */
export const refusedDelivery: DeliveryReply = { hopStatus: emptyDsn, status: -1, stays: false }

/**
 * Reads the reply as qmgr(8) does.
 *
 * @throws {EndOfStreamError | AttrError | StreamTimeoutError} the agent is lost: the outcome is unknown
 */
export async function receiveDeliveryReply(channel: Channel): Promise<DeliveryReply> {
  return DeliveryReplyList.parse(await channel.receiveReply())
}

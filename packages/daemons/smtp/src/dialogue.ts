/**
 * dialogue - what the parts of one mail transaction share: the session, the replies awaited, and who was accepted
 *
 * Knows what a reply means for a recipient, and not which command comes next: that is for transaction.ts (envelope),
 * data-content.ts and chunked-content.ts (text) and last-command.ts.
 */
import type { DeliveryStatus } from '@posthorn/delivery/delivery-status'
import type { Recipient } from '@posthorn/wire/delivery-request'
import type { ClientOptions } from './client-options.ts'
import type { HeaderFlags } from './content.ts'
import type { Delivery } from './delivery.ts'
import { isSuspect, serverFailure, type Failure } from './failure.ts'
import { FEATURES } from './features.ts'
import { Pipeline } from './pipeline.ts'
import type { Reply } from './reply-parser.ts'
import type { Session } from './session.ts'
import type { ClientTables, SmtpClient } from './smtp-client.ts'

export class Dialogue {
  readonly delivery: Delivery
  readonly session: Session
  readonly options: ClientOptions
  readonly headers: HeaderFlags
  readonly tables: ClientTables
  readonly pipeline: Pipeline
  /** By their RCPT; in the order of the commands. */
  readonly accepted: Recipient[] = []

  constructor(
    delivery: Delivery,
    session: Session,
    client: Pick<SmtpClient, 'options' | 'headers' | 'tables'>,
  ) {
    this.delivery = delivery
    this.session = session
    this.options = client.options
    this.headers = client.headers
    this.tables = client.tables
    this.pipeline = new Pipeline(session)
  }

  /** 8-bit text for a server that does not take it (RFC 6152 3). */
  get isConverted(): boolean {
    const { request } = this.delivery.job
    return (
      this.options.convertsToSevenBit &&
      !this.session.has(FEATURES.eightBitMime) &&
      request.encoding !== '7bit'
    )
  }

  /** Nothing can be said any more, not even QUIT. */
  breakOff(): void {
    this.session.isBroken = true
    this.session.spend()
  }

  /** `command`: words after "in reply to". */
  refusal(reply: Reply, command: string): Failure {
    if (isSuspect(reply)) this.session.distrust()
    const before = `host ${this.session.hostText} said: `
    return serverFailure(this.session.host.name, reply, before, ` (in reply to ${command})`)
  }

  async succeed(recipient: Recipient, reply: Reply): Promise<void> {
    const isFinal = this.options.protocol === 'lmtp' && this.headers.isFinal
    const action = isFinal ? 'delivered' : 'relayed'
    const status = { ...this.serverSaid(reply), dsn: reply.dsn, action } as const
    await this.delivery.sent(recipient, status, this.session.has(FEATURES.dsn))
  }

  /** For a report of success. */
  serverSaid(reply: Reply): Omit<DeliveryStatus, 'dsn'> {
    const text = reply.text.replaceAll('\n', ' ')
    return {
      reason: text,
      diagnosticType: 'smtp',
      diagnosticText: text,
      remoteMtaType: 'dns',
      remoteMtaName: this.session.host.name,
    }
  }
}

export function isPositive(reply: Reply): boolean {
  return reply.code >= 200 && reply.code <= 299
}

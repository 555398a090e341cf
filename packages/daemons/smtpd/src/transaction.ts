/**
 * transaction - one mail transaction, from MAIL to the end of the message
 *
 *   MAIL ──▶ begun ──RCPT──▶ open (a queue file exists) ──DATA/BDAT──▶ content ──▶ finished
 *
 * It owns the conversation with cleanup(8): whoever drops a transaction calls `cancel`, and cleanup(8) removes
 * the queue file. RFC 5321 3.3.
 */
import type { SubmissionSession } from '@posthorn/wire/submission-session'
import type { ProxyFilter } from './proxy-filter.ts'
import type { ContentRecords } from './content-records.ts'

export interface MailParameters {
  /** SIZE=, octets; 0 when not given. RFC 1870. */
  readonly sizeOctets: number
  /** BODY=, RFC 6152. */
  readonly encoding: '' | '7bit' | '8bit'
  /** RET=, RFC 3461 4.3: 1 full, 2 headers. */
  readonly returnFlags: 0 | 1 | 2
  /** ENVID=, decoded; RFC 3461 4.4. */
  readonly envelopeId: string
  /** RFC 6531 3.4 */
  readonly isSmtpUtf8: boolean
  /** The two delimiters of XVERP, or ''. */
  readonly verp: string
}

/** What access tables asked to be done with the message. */
export interface MessageActions {
  isHeld: boolean
  isDiscarded: boolean
  filter: string
  redirect: string
  readonly bcc: string[]
  /** Header lines to put before the message. */
  readonly prepended: string[]
}

export class Transaction {
  /** Internal form. */
  readonly sender: string
  readonly parameters: MailParameters
  readonly actions: MessageActions = {
    isHeld: false,
    isDiscarded: false,
    filter: '',
    redirect: '',
    bcc: [],
    prepended: [],
  }
  arrivalMs = 0
  recipientCount = 0
  /** Commands behind this one about whose recipients trivial-rewrite(8) was asked (resolve-ahead.ts). */
  resolvedAhead = 0
  /** Recipients refused because there were too many. */
  overshootCount = 0
  /** The first accepted recipient, internal form. */
  firstRecipient = ''
  queueFile: SubmissionSession | undefined
  /** A filter before the queue takes the message instead. */
  filter: ProxyFilter | undefined
  /** The client's MAIL command, for the filter. */
  readonly mailCommand: string
  /** Set once the client sends content. */
  content: ContentRecords | undefined
  /** The start of a line whose end comes with the next chunk; at most line_length_limit. */
  bdatPending = ''

  constructor(sender: string, parameters: MailParameters, mailCommand = '') {
    this.mailCommand = mailCommand
    this.sender = sender
    this.parameters = parameters
  }

  /** The recipient, when there is just one. */
  get onlyRecipient(): string | undefined {
    return this.recipientCount === 1 ? this.firstRecipient : undefined
  }

  get queueId(): string | undefined {
    return this.queueFile?.queueId
  }

  /** Forgets the message: cleanup(8) removes the queue file. */
  cancel(): void {
    this.queueFile?.cancel()
    this.queueFile = undefined
    if (this.content === undefined) this.filter?.close()
    else this.filter?.cancel()
    this.filter = undefined
  }
}

/**
 * received - the Received: header that a mail system puts before a message
 *
 * Writers hand over the words, this file knows the layout. The result has one string per physical line.
 *
 * Sources: RFC 5321 4.4; Postfix 3.7.
 */
import { formatMailDate } from './mail-date.ts'

export interface LocalReceived {
  readonly hostname: string
  readonly mailName: string
  readonly queueId: string
  readonly timeMs: number
  /** The user who submitted the message; undefined for mail that the system wrote itself. */
  readonly userId?: number
}

/** For mail that did not come over the network: pickup(8), bounces, forwarding. */
export function formatLocalReceived(origin: LocalReceived): string[] {
  const from = origin.userId === undefined ? '' : `, from userid ${origin.userId}`
  return [
    `Received: by ${origin.hostname} (${origin.mailName}${from})`,
    `\tid ${origin.queueId}; ${formatMailDate(origin.timeMs)}`,
  ]
}

export interface SmtpReceived {
  readonly helo: string
  /** `name [address]`, the address with its `IPv6:` prefix. */
  readonly client: { readonly name: string; readonly address: string }
  /** Lines about TLS and authentication, without the tab before them. */
  readonly comments: readonly string[]
  readonly hostname: string
  readonly mailName: string
  /** `ESMTPS` and so on (RFC 3848). */
  readonly protocol: string
  /** Undefined: a filter before the queue takes the message. */
  readonly queueId?: string
  /** The recipient in external form when there is exactly one, so that blind copies stay blind. */
  readonly onlyRecipient?: string
  readonly timeMs: number
}

export function formatSmtpReceived(received: SmtpReceived): string[] {
  const { client, hostname, mailName, protocol, queueId } = received
  const by = `\tby ${hostname} (${mailName}) with ${protocol}${queueId === undefined ? '' : ` id ${queueId}`}`
  const date = formatMailDate(received.timeMs)
  const last =
    received.onlyRecipient === undefined
      ? [`${by};`, `\t${date}`]
      : [by, `\tfor <${received.onlyRecipient}>; ${date}`]
  return [
    `Received: from ${received.helo} (${client.name} [${client.address}])`,
    ...received.comments.map((line) => `\t${line}`),
    ...last,
  ]
}

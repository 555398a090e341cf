/**
 * header-class - what the headers that a mail system acts upon mean
 *
 * Which headers name senders or recipients (their addresses are rewritten), which of them sendmail -t takes recipients
 * from, and which belong to the Resent- set.
 *
 * Sources: RFC 5322 3.6; Postfix 3.7 cleanup(8), found by comparing.
 */
export interface HeaderClass {
  /** Whose addresses stand in it; undefined = no addresses that are rewritten. */
  readonly addresses: 'sender' | 'recipient' | undefined
  readonly isResent: boolean
  /** sendmail -t takes its addresses as recipients (of the Resent- set only when there is one). */
  readonly namesRecipients: boolean
  /** Content-*, MIME-Version: subject to mime_header_checks. */
  readonly isMime: boolean
}

function defineClass(options: Partial<HeaderClass>): HeaderClass {
  return {
    addresses: undefined,
    isResent: false,
    namesRecipients: false,
    isMime: false,
    ...options,
  }
}

const sender = defineClass({ addresses: 'sender' })
const recipient = defineClass({ addresses: 'recipient' })
const destination = defineClass({ addresses: 'recipient', namesRecipients: true })
const resentSender = defineClass({ addresses: 'sender', isResent: true })
const resentDestination = defineClass({
  addresses: 'recipient',
  namesRecipients: true,
  isResent: true,
})
const resentRecipient = defineClass({ addresses: 'recipient', isResent: true })
const resent = defineClass({ isResent: true })
const mime = defineClass({ isMime: true })

const classes = new Map<string, HeaderClass>([
  ['apparently-to', recipient],
  ['bcc', destination],
  ['cc', destination],
  ['content-description', mime],
  ['content-disposition', mime],
  ['content-id', mime],
  ['content-transfer-encoding', mime],
  ['content-type', mime],
  ['disposition-notification-to', sender],
  ['errors-to', sender],
  ['from', sender],
  ['mail-followup-to', sender],
  ['mime-version', mime],
  ['reply-to', sender],
  ['resent-bcc', resentDestination],
  ['resent-cc', resentDestination],
  ['resent-date', resent],
  ['resent-from', resentSender],
  ['resent-message-id', resent],
  ['resent-reply-to', resentRecipient],
  ['resent-sender', resentSender],
  ['resent-to', resentDestination],
  ['return-path', sender],
  ['return-receipt-to', sender],
  ['sender', sender],
  ['to', destination],
])

/** @param name in lower case; undefined for a header that nobody acts upon */
export function findHeaderClass(name: string): HeaderClass | undefined {
  return classes.get(name)
}

/**
 * mail-commands - the commands of a mail transaction with their parameters
 *
 * Each parameter only when the server offered its extension. Sources: RFC 1870 (SIZE), RFC 6152 (BODY), RFC 3461
 * (RET, ENVID, NOTIFY, ORCPT), RFC 6531 (SMTPUTF8), RFC 8689 (REQUIRETLS), RFC 4954 5 (AUTH=); XFORWARD_README.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { log } from '@posthorn/log/log'
import { NOTIFY_FLAGS, RETURN_FLAGS, SMTPUTF8_FLAGS } from '@posthorn/wire/attr-groups'
import type { DeliveryRequest, Recipient } from '@posthorn/wire/delivery-request'
import { FEATURES } from './features.ts'
import type { Session } from './session.ts'
import { encodeUtf8Xtext, encodeXtext } from './xtext.ts'

export interface AddressRules {
  /** smtp_quote_rfc821_envelope */
  quotesEnvelope: boolean
  /** `AUTH=<>` where the server offers AUTH. */
  sendsDummyAuth: boolean
}

function path(address: string, rules: AddressRules): string {
  return `<${rules.quotesEnvelope ? quoteAddress(address) : address}>`
}

/** `sender`: as the world knows it. `isConverted`: the content will be made 7-bit, so that its size is not known. */
export function mailCommand(
  sender: string,
  request: DeliveryRequest,
  session: Session,
  rules: AddressRules,
  isConverted: boolean,
): string {
  let command = `MAIL FROM:${path(sender, rules)}`
  if (session.has(FEATURES.size) && !isConverted) command += ` SIZE=${request.sizeBytes}`
  if (session.has(FEATURES.eightBitMime)) {
    if (request.encoding === '8bit') command += ' BODY=8BITMIME'
    else if (request.encoding === '7bit') command += ' BODY=7BIT'
    else if (request.encoding !== '') {
      log.warning(`${request.queueId}: unknown content encoding: ${request.encoding}`)
    }
  }
  if (session.has(FEATURES.dsn)) {
    if (request.envelopeId !== '') command += ` ENVID=${encodeXtext(request.envelopeId, '=')}`
    if (request.returnFlags === RETURN_FLAGS.full) command += ' RET=FULL'
    else if (request.returnFlags === RETURN_FLAGS.headers) command += ' RET=HDRS'
  }
  if (session.has(FEATURES.smtpUtf8) && (request.smtpUtf8 & SMTPUTF8_FLAGS.requested) !== 0) {
    command += ' SMTPUTF8'
  }
  // RFC 8689 2: under TLS only
  const canRequireTls = session.tlsContext !== undefined && session.has(FEATURES.requireTls)
  if (session.asksForRequireTls && canRequireTls) command += ' REQUIRETLS'
  if (rules.sendsDummyAuth && session.has(FEATURES.auth)) command += ' AUTH=<>'
  return command
}

/** RFC 3461 4.2. Undefined: nothing is known about the original recipient, or it cannot be said. */
function originalRecipient(request: DeliveryRequest, recipient: Recipient): string | undefined {
  const given = recipient.dsnOriginalRecipient
  const semicolon = given.indexOf(';')
  if (semicolon > 0) {
    const type = given.slice(0, semicolon)
    const address = given.slice(semicolon + 1)
    if (type.toLowerCase() !== 'utf-8') return `${type};${encodeXtext(address, '=')}`
    const encoded = encodeUtf8Xtext(address)
    return encoded === undefined ? undefined : `${type};${encoded}`
  }
  if (recipient.originalRecipient === '') return undefined
  const address = quoteAddress(recipient.originalRecipient)
  if ((request.smtpUtf8 & SMTPUTF8_FLAGS.requested) === 0 || !/[\x80-\xff]/.test(address)) {
    return `rfc822;${encodeXtext(address, '=')}`
  }
  const encoded = encodeUtf8Xtext(address)
  return encoded === undefined ? undefined : `utf-8;${encoded}`
}

/** `address`: the recipient as the world knows it. */
export function rcptCommand(
  address: string,
  request: DeliveryRequest,
  recipient: Recipient,
  session: Session,
  rules: AddressRules,
): string {
  let command = `RCPT TO:${path(address, rules)}`
  if (!session.has(FEATURES.dsn)) return command
  const original = originalRecipient(request, recipient)
  if (original !== undefined) command += ` ORCPT=${original}`
  const words = [
    [NOTIFY_FLAGS.never, 'NEVER'],
    [NOTIFY_FLAGS.success, 'SUCCESS'],
    [NOTIFY_FLAGS.failure, 'FAILURE'],
    [NOTIFY_FLAGS.delay, 'DELAY'],
  ] as const
  const notify = words.filter(([flag]) => (recipient.notifyFlags & flag) !== 0)
  if (notify.length > 0) command += ` NOTIFY=${notify.map(([, word]) => word).join(',')}`
  return command
}

/** At most two commands: about the client and where it is, then about what it said. */
export function xforwardCommands(
  request: DeliveryRequest,
  session: Session,
): { command: string; what: string; stage: string }[] {
  const attribute = (
    feature: number,
    name: string,
    value: string,
    allowsUnknown = false,
  ): string =>
    session.has(feature) && value !== '' && (allowsUnknown || value !== 'unknown')
      ? ` ${name}=${encodeXtext(value)}`
      : ''
  const first =
    attribute(FEATURES.xforwardName, 'NAME', request.clientName) +
    attribute(FEATURES.xforwardAddress, 'ADDR', request.clientAddress) +
    attribute(FEATURES.xforwardPort, 'PORT', request.clientPort)
  const source = request.rewriteContext === 'local' ? 'LOCAL' : 'REMOTE'
  const second =
    attribute(FEATURES.xforwardProtocol, 'PROTO', request.clientProtocol) +
    attribute(FEATURES.xforwardHelo, 'HELO', request.clientHelo, true) +
    attribute(FEATURES.xforwardIdent, 'IDENT', request.logIdent, true) +
    attribute(FEATURES.xforwardSource, 'SOURCE', source)
  const commands = []
  if (first !== '') {
    const what = 'XFORWARD name/address command'
    commands.push({ command: `XFORWARD${first}`, what, stage: 'sending XFORWARD name/address' })
  }
  if (second !== '') {
    const what = 'XFORWARD helo/protocol command'
    const stage = 'sending XFORWARD protocol/helo_name'
    commands.push({ command: `XFORWARD${second}`, what, stage })
  }
  return commands
}

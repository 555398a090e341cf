/**
 * name-checks - restrictions on names: the client's, the one in HELO, the domains of sender and recipient
 *
 * Syntax first, then DNS where the restriction asks for it. What DNS cannot say becomes a deferral in place of
 * a permission (unknown_*_tempfail_action = defer_if_permit). Source: Postfix 3.7 postconf(5).
 */
import { splitAddress } from '@posthorn/address/split-address'
import {
  isValidAddressLiteral,
  isValidIpAddress,
  isValidUtf8Hostname,
} from '@posthorn/address/hostname'
import { RESOLVE_FLAGS, type RewriteClient } from '@posthorn/wire/rewrite-protocol'
import { resolveAddress } from './address-resolver.ts'
import type { DomainFinder } from './domain-finder.ts'
import { lookupFailure, type Evaluation, type Subject, type TempfailAction } from './evaluation.ts'
import { replyText } from './reply-text.ts'
import { dunno, permit, refuse, type Check, type Verdict } from './restriction.ts'

export interface NameSettings {
  readonly rewriter: RewriteClient
  readonly domains: DomainFinder
  /** Addresses of this host. */
  readonly ownAddresses: ReadonlySet<string>
  readonly addressTempfail: TempfailAction
  readonly heloTempfail: TempfailAction
  readonly codes: {
    readonly invalidHostname: number
    readonly nonFqdn: number
    readonly unknownClient: number
    readonly unknownHostname: number
    readonly unknownAddress: number
    readonly multiRecipientBounce: number
    readonly plaintext: number
  }
}

function rejectNonFqdnAddress(
  { codes }: NameSettings,
  evaluation: Evaluation,
  subject: Subject,
): Verdict {
  const { domain } = splitAddress(subject.name)
  // the null sender, and a local postmaster, need no domain
  if (subject.name === '') return dunno
  const isFqdn =
    domain !== undefined &&
    (isValidAddressLiteral(domain) || (domain.includes('.') && isValidUtf8Hostname(domain)))
  if (isFqdn) return dunno
  const text = evaluation.describe('need fully-qualified address', subject)
  return refuse(replyText(codes.nonFqdn, '5.5.2', text))
}

async function rejectUnknownDomain(
  { rewriter, domains, codes, addressTempfail }: NameSettings,
  evaluation: Evaluation,
  subject: Subject,
): Promise<Verdict> {
  const sender = evaluation.session.transaction?.sender ?? ''
  if (subject.name === '') return dunno
  const resolution = await resolveAddress(rewriter, sender, subject.name)
  if (resolution.kind === 'unknown') return refuse(lookupFailure(subject.name))
  const { domain } = splitAddress(resolution.recipient)
  // our own domains need no DNS
  if (domain === undefined || (resolution.flags & RESOLVE_FLAGS.classDefault) === 0) return dunno
  if (domain.startsWith('[') || isValidIpAddress(domain)) return dunno
  const isSender = subject.className === 'Sender address'
  const found = await domains.findMailDomain(domain)
  switch (found) {
    case 'found':
      return dunno
    case 'nullMx': {
      const text = evaluation.describe(`Domain ${domain} does not accept mail (nullMX)`, subject)
      return refuse(isSender ? `550 5.7.27 ${text}` : `556 5.1.10 ${text}`)
    }
    case 'absent':
    case 'tryAgain': {
      const text = evaluation.describe('Domain not found', subject)
      const detail = isSender ? '5.1.8' : '5.1.2'
      if (found === 'absent') return refuse(replyText(codes.unknownAddress, detail, text))
      return evaluation.tempfail(addressTempfail, replyText(450, detail, text))
    }
  }
}

/** A check of one of the names that a session brings. */
type SubjectCheck = (evaluation: Evaluation, subject: Subject) => Verdict | Promise<Verdict>

const withHelo =
  (check: SubjectCheck): Check =>
  (evaluation): Verdict | Promise<Verdict> => {
    const { helo } = evaluation.session
    return helo === undefined ? dunno : check(evaluation, { name: helo, className: 'Helo command' })
  }

const withSender =
  (check: SubjectCheck): Check =>
  (evaluation): Verdict | Promise<Verdict> => {
    const sender = evaluation.session.transaction?.sender
    if (sender === undefined) return dunno
    return check(evaluation, { name: sender, className: 'Sender address' })
  }

const withRecipient =
  (check: SubjectCheck): Check =>
  (evaluation): Verdict | Promise<Verdict> => {
    const { recipient } = evaluation
    if (recipient === undefined) return dunno
    return check(evaluation, { name: recipient, className: 'Recipient address' })
  }

function heloChecks(settings: NameSettings): [string, Check][] {
  const { codes, domains } = settings
  const isLiteral = (name: string): boolean => name.startsWith('[')
  const judgeLiteral: SubjectCheck = (evaluation, subject) => {
    if (isValidAddressLiteral(subject.name)) return dunno
    const text = evaluation.describe('invalid ip address', subject)
    return refuse(replyText(codes.invalidHostname, '5.5.2', text))
  }
  const rejectInvalid = withHelo(async (evaluation, subject) => {
    if (isLiteral(subject.name)) return judgeLiteral(evaluation, subject)
    if (isValidUtf8Hostname(subject.name) || isValidIpAddress(subject.name)) return dunno
    const text = evaluation.describe('Invalid name', subject)
    return refuse(replyText(codes.invalidHostname, '5.5.2', text))
  })
  const rejectNonFqdn = withHelo(async (evaluation, subject) => {
    const name = subject.name.replace(/\.$/, '')
    if (isLiteral(name)) return judgeLiteral(evaluation, subject)
    if (name.includes('.') && isValidUtf8Hostname(name)) return dunno
    const text = evaluation.describe('need fully-qualified hostname', subject)
    return refuse(replyText(codes.nonFqdn, '5.5.2', text))
  })
  const rejectUnknown = withHelo(async (evaluation, subject) => {
    if (isValidAddressLiteral(subject.name)) return dunno
    const found = await domains.findHost(subject.name)
    if (found === 'found') return dunno
    const text = evaluation.describe('Host not found', subject)
    if (found === 'absent') return refuse(replyText(codes.unknownHostname, '5.7.1', text))
    return evaluation.tempfail(settings.heloTempfail, replyText(450, '4.7.1', text))
  })
  return [
    ['reject_invalid_helo_hostname', rejectInvalid],
    ['reject_invalid_hostname', rejectInvalid],
    ['reject_non_fqdn_helo_hostname', rejectNonFqdn],
    ['reject_non_fqdn_hostname', rejectNonFqdn],
    ['reject_unknown_helo_hostname', rejectUnknown],
    ['reject_unknown_hostname', rejectUnknown],
  ]
}

function clientChecks({ codes, ownAddresses }: NameSettings): [string, Check][] {
  const rejectUnknown: Check = (evaluation) => {
    const { client } = evaluation
    if (client.nameStatus === 'ok') return dunno
    const text = `Client host rejected: cannot find your hostname, [${client.address}]`
    const code = client.nameStatus === 'tryAgain' ? 450 : codes.unknownClient
    return refuse(replyText(code, '5.7.25', text))
  }
  const rejectUnknownReverse: Check = (evaluation) => {
    const { client } = evaluation
    if (client.reverseStatus === 'ok') return dunno
    const text = `Client host rejected: cannot find your reverse hostname, [${client.address}]`
    const code = client.reverseStatus === 'tryAgain' ? 450 : codes.unknownClient
    return refuse(replyText(code, '5.7.1', text))
  }
  return [
    ['reject_unknown_client_hostname', rejectUnknown],
    ['reject_unknown_client', rejectUnknown],
    ['reject_unknown_reverse_client_hostname', rejectUnknownReverse],
    [
      'reject_plaintext_session',
      () => refuse(replyText(codes.plaintext, '5.7.1', 'Session encryption is required')),
    ],
    [
      'permit_inet_interfaces',
      ({ client, clientSubject }) =>
        ownAddresses.has(client.address) ? permit('permit_inet_interfaces', clientSubject) : dunno,
    ],
  ]
}

function addressChecks(settings: NameSettings): [string, Check][] {
  const nonFqdn = (evaluation: Evaluation, subject: Subject): Verdict =>
    rejectNonFqdnAddress(settings, evaluation, subject)
  const unknown = async (evaluation: Evaluation, subject: Subject): Promise<Verdict> =>
    rejectUnknownDomain(settings, evaluation, subject)
  return [
    ['reject_non_fqdn_sender', withSender(nonFqdn)],
    ['reject_non_fqdn_recipient', withRecipient(nonFqdn)],
    ['reject_unknown_sender_domain', withSender(unknown)],
    ['reject_unknown_address', withSender(unknown)],
    ['reject_unknown_recipient_domain', withRecipient(unknown)],
    [
      'reject_multi_recipient_bounce',
      (evaluation) => {
        const { transaction, recipient } = evaluation.session
        const count = (transaction?.recipientCount ?? 0) + (recipient === undefined ? 0 : 1)
        if (transaction?.sender !== '' || count < 2) return dunno
        const text = evaluation.describe('Multi-recipient bounce')
        return refuse(replyText(settings.codes.multiRecipientBounce, '5.5.3', text))
      },
    ],
    [
      'reject_unauth_pipelining',
      (evaluation) =>
        evaluation.session.hasPipelinedBadly
          ? refuse(`503 5.5.0 ${evaluation.describe('Improper use of SMTP command pipelining')}`)
          : dunno,
    ],
  ]
}

export function nameChecks(settings: NameSettings): [string, Check][] {
  return [...clientChecks(settings), ...heloChecks(settings), ...addressChecks(settings)]
}

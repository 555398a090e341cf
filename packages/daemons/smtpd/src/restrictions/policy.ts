/**
 * policy - every access decision of smtpd(8), by the command at which it is made
 *
 * Which lists are applied where (smtpd_delay_reject moves the first three to RCPT, VRFY and ETRN, so that
 * refusals name sender and recipient):
 *
 *   CONNECT  smtpd_client_restrictions     RCPT  smtpd_relay_restrictions, smtpd_recipient_restrictions
 *   HELO     smtpd_helo_restrictions       DATA  smtpd_data_restrictions
 *   MAIL     smtpd_sender_restrictions     end   smtpd_end_of_data_restrictions
 *
 * Each function gives the reply that refuses, or undefined. Refusals have been logged by then.
 * Source: Postfix 3.7 smtpd(8), SMTPD_ACCESS_README.
 */
import { statfs } from 'node:fs/promises'
import { RESOLVE_FLAGS } from '@posthorn/wire/rewrite-protocol'
import { log } from '@posthorn/log/log'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { SessionClient } from '../session-client.ts'
import type { Session } from '../session.ts'
import type { BareNewlineMode } from '../smtpd-settings.ts'
import { resolveAddress } from './address-resolver.ts'
import { Evaluation, type Subject } from './evaluation.ts'
import type { PolicySettings } from './policy-settings.ts'
import { refuse, type Check, type Verdict } from './restriction.ts'
import { checkListed } from './unlisted-checks.ts'

/** What a message of unknown size is taken to need: Postfix wants 1.5 times message_size_limit free. */
const STORAGE_MARGIN = 1.5
const STORAGE_CHECK_MS = 1000

export class Policy {
  readonly #settings: PolicySettings
  #freeOctets = Infinity
  #freeCheckedAtMs = 0

  constructor(settings: PolicySettings) {
    this.#settings = settings
  }

  /** CONNECT. The reply takes the place of the greeting. */
  async checkClient(session: Session): Promise<string | undefined> {
    const { isDelayReject, lists } = this.#settings
    if (isDelayReject || session.client.isLocalUser) return undefined
    return this.#judgeEarly(session, lists.client, this.#clientSubject(session), 'client')
  }

  async checkHelo(session: Session): Promise<string | undefined> {
    const { isDelayReject, lists } = this.#settings
    if (isDelayReject || session.client.isLocalUser) return undefined
    return this.#judgeEarly(session, lists.helo, this.#heloSubject(session), 'helo')
  }

  async checkMail(session: Session): Promise<string | undefined> {
    const { isDelayReject, lists } = this.#settings
    if (isDelayReject || session.client.isLocalUser) return undefined
    const evaluation = new Evaluation(session, this.#senderSubject(session))
    const verdict = await this.#applySender(evaluation, lists.sender)
    session.deferrals.sender = evaluation.deferIfPermit
    return verdict.kind === 'refuse' ? this.#conclude(evaluation, verdict) : undefined
  }

  /** RCPT and VRFY; `session.recipient` is the address. */
  async checkRecipient(session: Session): Promise<string | undefined> {
    const { lists, isDelayReject, isRelayFirst, isUnlistedRefused } = this.#settings
    const name = session.recipient ?? ''
    // RFC 5321 4.5.1: postmaster, without a domain, is always there
    if (name.toLowerCase() === 'postmaster' || isExempt(session)) return undefined
    const evaluation = new Evaluation(session, this.#clientSubject(session))
    if (isDelayReject) {
      const early = await this.#applyEarly(evaluation)
      if (early.kind === 'refuse') return this.#conclude(evaluation, early)
      if (isDiscarded(session)) return undefined
    } else {
      const { client, helo, sender } = session.deferrals
      evaluation.deferIfPermit = client ?? helo ?? sender
    }
    evaluation.subject = { name, className: 'Recipient address' }
    const order = isRelayFirst ? [lists.relay, lists.recipient] : [lists.recipient, lists.relay]
    for (const list of order) {
      const verdict = await evaluation.apply(list)
      if (verdict.kind === 'refuse') return this.#conclude(evaluation, verdict)
    }
    const deferred = this.#conclude(evaluation, { kind: 'permit' })
    if (deferred !== undefined) return deferred
    if (isUnlistedRefused) {
      const verdict = await checkListed(this.#settings.unlisted, evaluation, evaluation.subject)
      if (verdict.kind === 'refuse') return this.#conclude(evaluation, verdict)
    }
    return this.#conclude(evaluation, { kind: 'permit' })
  }

  async checkData(session: Session): Promise<string | undefined> {
    // a chunk counts as DATA
    const subject: Subject = { name: 'DATA', className: 'Data command' }
    return this.#judge(session, this.#settings.lists.data, subject)
  }

  async checkEndOfData(session: Session): Promise<string | undefined> {
    const subject: Subject = { name: 'END-OF-MESSAGE', className: 'End-of-data' }
    return this.#judge(session, this.#settings.lists.endOfData, subject)
  }

  async checkEtrn(session: Session, domain: string): Promise<string | undefined> {
    if (isExempt(session)) return undefined
    session.etrnDomain = domain
    try {
      return await this.#judgeEtrn(session, domain)
    } finally {
      session.etrnDomain = ''
    }
  }

  async #judgeEtrn(session: Session, domain: string): Promise<string | undefined> {
    const { isDelayReject, lists } = this.#settings
    const evaluation = new Evaluation(session, this.#clientSubject(session))
    if (isDelayReject) {
      for (const [list, subject] of [
        [lists.client, this.#clientSubject(session)],
        [lists.helo, this.#heloSubject(session)],
      ] as const) {
        evaluation.subject = subject
        const verdict = await evaluation.apply(list)
        if (verdict.kind === 'refuse') return this.#conclude(evaluation, verdict)
      }
    }
    evaluation.subject = { name: domain, className: 'Etrn command' }
    return this.#conclude(evaluation, await evaluation.apply(lists.etrn))
  }

  /** Is the syntax such that the address cannot go anywhere? What cannot be found out is not held against it. */
  async isBadAddress(session: Session, address: string): Promise<boolean> {
    if (address === '' || session.client.isLocalUser) return false
    const sender = session.transaction?.sender ?? ''
    const resolution = await resolveAddress(this.#settings.rewriter, sender, address)
    return resolution.kind === 'resolved' && (resolution.flags & RESOLVE_FLAGS.error) !== 0
  }

  /** isBadAddress() will ask about this address: the answer is on its way then. */
  resolveAhead(sender: string, address: string): void {
    resolveAddress(this.#settings.rewriter, sender, address).catch(() => undefined)
  }

  /** Is there room for a message of that size (0: not said), with something to spare? */
  async checkStorage(session: Session, sizeOctets: number): Promise<string | undefined> {
    const { messageSizeLimit, queueMinFree } = this.#settings
    const free = await this.#findFreeOctets()
    const isShort =
      (queueMinFree > 0 && free < queueMinFree + sizeOctets) ||
      free < messageSizeLimit * STORAGE_MARGIN ||
      free < sizeOctets * STORAGE_MARGIN
    if (!isShort) return undefined
    log.warning(
      `not enough free space in mail queue: ${free} bytes < ${STORAGE_MARGIN}*message size limit`,
    )
    const reply = '452 4.3.1 Insufficient system storage'
    session.logAction('reject', reply)
    return reply
  }

  /** local_header_rewrite_clients: addresses in headers of these clients' mail are completed with our domain. */
  async rewriteContext(session: Session): Promise<'local' | 'remote'> {
    const evaluation = new Evaluation(session, this.#clientSubject(session))
    evaluation.isQuiet = true
    const verdict = await evaluation.apply(this.#settings.lists.localRewrite)
    return verdict.kind === 'permit' ? 'local' : 'remote'
  }

  /** smtpd_forbid_bare_newline, for this client. */
  async bareNewlineMode(client: SessionClient): Promise<BareNewlineMode> {
    const { bareNewline, bareNewlineExclusions } = this.#settings
    if (bareNewline === 'no') return 'no'
    const isExcluded = await matchesOrNot(async () =>
      bareNewlineExclusions.matches(client.address, client.name),
    )
    return isExcluded ? 'no' : bareNewline
  }

  /** smtpd_forbidden_commands */
  async isForbidden(verb: string): Promise<boolean> {
    return matchesOrNot(async () => this.#settings.forbiddenCommands.matches(verb))
  }

  /** smtpd_noop_commands */
  async isNoop(verb: string): Promise<boolean> {
    const { noopCommands } = this.#settings
    return !noopCommands.isEmpty && matchesOrNot(async () => noopCommands.matches(verb))
  }

  /** fast_flush_domains */
  async isFlushed(domain: string): Promise<boolean> {
    return matchesOrNot(async () => this.#settings.flushDomains.matches(domain))
  }

  #clientSubject({ client }: Session): Subject {
    return { name: client.label, className: 'Client host' }
  }

  #heloSubject({ helo }: Session): Subject {
    return { name: helo ?? '', className: 'Helo command' }
  }

  #senderSubject({ transaction }: Session): Subject {
    return { name: transaction?.sender ?? '', className: 'Sender address' }
  }

  /** The lists that smtpd_delay_reject has put off. */
  async #applyEarly(evaluation: Evaluation): Promise<Verdict> {
    const { lists } = this.#settings
    const { session } = evaluation
    const client = await evaluation.apply(lists.client)
    if (client.kind === 'refuse') return client
    if (session.helo !== undefined) {
      evaluation.subject = this.#heloSubject(session)
      const helo = await evaluation.apply(lists.helo)
      if (helo.kind === 'refuse') return helo
    }
    if (session.transaction === undefined) return { kind: 'dunno' }
    evaluation.subject = this.#senderSubject(session)
    return this.#applySender(evaluation, lists.sender)
  }

  async #applySender(evaluation: Evaluation, list: readonly Check[]): Promise<Verdict> {
    const verdict = await evaluation.apply(list)
    const sender = evaluation.session.transaction?.sender ?? ''
    if (verdict.kind === 'refuse' || !this.#settings.isUnlistedSenderRefused || sender === '') {
      return verdict
    }
    return checkListed(this.#settings.unlisted, evaluation, evaluation.subject)
  }

  async #judge(
    session: Session,
    list: readonly Check[],
    subject: Subject,
  ): Promise<string | undefined> {
    if (list.length === 0 || isExempt(session)) return undefined
    const evaluation = new Evaluation(session, subject)
    return this.#conclude(evaluation, await evaluation.apply(list))
  }

  /** CONNECT and HELO: a permission that has to wait does so until RCPT. */
  async #judgeEarly(
    session: Session,
    list: readonly Check[],
    subject: Subject,
    stage: 'client' | 'helo',
  ): Promise<string | undefined> {
    const evaluation = new Evaluation(session, subject)
    const verdict = await evaluation.apply(list)
    session.deferrals[stage] = evaluation.deferIfPermit
    return verdict.kind === 'refuse' ? this.#conclude(evaluation, verdict) : undefined
  }

  /** A permission may have to wait; a refusal is logged. */
  #conclude(evaluation: Evaluation, verdict: Verdict): string | undefined {
    const deferral = evaluation.deferIfPermit
    const final = verdict.kind !== 'refuse' && deferral !== undefined ? refuse(deferral) : verdict
    if (final.kind === 'refuse') evaluation.session.logAction('reject', final.reply.slice(0, 510))
    for (const remark of evaluation.remarks.splice(0)) log.warning(remark)
    return final.kind === 'refuse' ? final.reply : undefined
  }

  /** Asked at most once a second: it is a system call that may wait for the disk. */
  async #findFreeOctets(): Promise<number> {
    const nowMs = Date.now()
    if (nowMs - this.#freeCheckedAtMs >= STORAGE_CHECK_MS) {
      this.#freeCheckedAtMs = nowMs
      const { bavail, bsize } = await statfs('.')
      this.#freeOctets = bavail * bsize
    }
    return this.#freeOctets
  }
}

/** Access control is about the network; and nothing matters to a message that an access table has decided to lose. */
function isExempt(session: Session): boolean {
  return session.client.isLocalUser || isDiscarded(session)
}

/** An access table has decided to lose this message. */
function isDiscarded({ transaction }: Session): boolean {
  return transaction?.actions.isDiscarded === true
}

/** For lists that protect nobody: a table that cannot be asked counts as no match. It has been logged. */
async function matchesOrNot(ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof TableUnavailableError) return false
    throw error
  }
}

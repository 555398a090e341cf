/**
 * evaluation - an access list being applied to a session
 *
 * Restrictions are tried in order until one permits or refuses. `warn_if_reject` turns the next refusal into a
 * log line; `defer_if_permit` turns the final permission into "try again later", for what could not be found
 * out and would matter only then. Refusals are logged here. Source: Postfix 3.7 postconf(5), access(5).
 */
import { log } from '@posthorn/log/log'
import { TableUnavailableError } from '@posthorn/tables/table-error'
import type { SessionClient } from '../session-client.ts'
import type { Session } from '../session.ts'
import { dunno, refuse, type Check, type Verdict } from './restriction.ts'

/** What the list is about, as refusals name it: `<NAME>: CLASS rejected: ...`. */
export interface Subject {
  readonly name: string
  readonly className: SubjectClass
}

export type SubjectClass =
  | 'Client host'
  | 'Unverified Client host'
  | 'Helo command'
  | 'Sender address'
  | 'Recipient address'
  | 'Etrn command'
  | 'Data command'
  | 'End-of-data'

const PERMIT: Verdict = { kind: 'permit' }

/** reject_tempfail_action and its kin: `defer`, or `defer_if_permit`. */
export type TempfailAction = string

/** A list that refers to itself through restriction classes is a mistake in main.cf. */
const DEPTH_LIMIT = 100

export class Evaluation {
  readonly session: Session
  /** What the list that is being applied is about. */
  subject: Subject
  /** The reply to give instead of a permission. */
  deferIfPermit: string | undefined
  deferIfReject: string | undefined
  /** What is wrong with the list; logged behind the decision. */
  readonly remarks: string[] = []
  /** Asked for no command of the client's: permissions are not logged. */
  isQuiet = false
  #isWarning = false
  #depth = 0

  constructor(session: Session, subject: Subject) {
    this.session = session
    this.subject = subject
  }

  get client(): SessionClient {
    return this.session.client
  }

  /** The recipient that is being judged; once all are there, the one and only. */
  get recipient(): string | undefined {
    return this.session.recipient ?? this.session.transaction?.onlyRecipient
  }

  get clientSubject(): Subject {
    return { name: this.client.label, className: 'Client host' }
  }

  /** `<NAME>: CLASS rejected: TEXT` about the subject, or about something else. */
  describe(text: string, subject: Subject = this.subject): string {
    return `<${subject.name}>: ${subject.className} rejected: ${text}`
  }

  /** Something in the list is of no use, given what was decided. */
  remark(text: string): void {
    if (!this.#isWarning) this.remarks.push(text)
  }

  /** The next refusal is only logged. */
  warnNext(): void {
    this.#isWarning = true
  }

  async apply(checks: readonly Check[]): Promise<Verdict> {
    // defer_if_reject speaks for its own list only
    if (this.#depth === 0) this.deferIfReject = undefined
    if (++this.#depth > DEPTH_LIMIT) {
      log.warning('restriction list is nested too deeply')
      return refuse('451 4.3.5 Server configuration error')
    }
    try {
      for (const check of checks) {
        const isWarning = this.#isWarning
        const verdict = await this.#try(check)
        if (verdict.kind === 'permit') return await this.#permitted(verdict)
        if (verdict.kind === 'refuse') {
          if (!isWarning) return this.#refused(verdict.reply)
          this.session.logAction('reject_warning', verdict.reply)
        }
        if (isWarning) this.#isWarning = false
      }
      return dunno
    } finally {
      this.#depth--
    }
  }

  /** A table that cannot be asked is no reason to permit or to refuse for good. */
  async #try(check: Check): Promise<Verdict> {
    try {
      return await check(this)
    } catch (error) {
      if (!(error instanceof TableUnavailableError)) throw error
      return refuse(lookupFailure(this.subject.name))
    }
  }

  /** A permanent refusal becomes temporary when something before could not be found out. */
  #refused(reply: string): Verdict {
    return refuse(reply.startsWith('5') ? (this.deferIfReject ?? reply) : reply)
  }

  /** smtpd_log_access_permit_actions */
  async #permitted({ by }: Verdict & { kind: 'permit' }): Promise<Verdict> {
    const { permitLog } = this.session.host
    if (
      by !== undefined &&
      !this.isQuiet &&
      !permitLog.isEmpty &&
      (await permitLog.matches(by.action))
    ) {
      const { action, subject, origin } = by
      const text = `action=${action} for ${subject.className}=${subject.name} ${origin}`
      this.session.logAction('permit', text)
    }
    return PERMIT
  }

  /** What could not be found out: refuses for now, or only what would be permitted otherwise. */
  tempfail(action: TempfailAction, reply: string): Verdict {
    if (action === 'defer') return refuse(reply)
    this.deferPermission(reply)
    return dunno
  }

  deferPermission(reply: string): void {
    this.deferIfPermit ??= reply
  }
}

/** A table or service could not say: the client must come again. */
export function lookupFailure(name: string): string {
  return `451 4.3.0 <${name}>: Temporary lookup failure`
}

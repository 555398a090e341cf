/**
 * restriction - one word of an access list, and what evaluating it can end with
 */
import type { Evaluation, Subject } from './evaluation.ts'

/**
 * refuse: `reply` is the complete SMTP reply. dunno: the next restriction decides. permit: `by` says what
 * permitted whom, for smtpd_log_access_permit_actions; gone once it has been logged.
 */
export type Verdict =
  | { readonly kind: 'permit'; readonly by?: Permit }
  | { readonly kind: 'dunno' }
  | { readonly kind: 'refuse'; readonly reply: string }

export interface Permit {
  /** As in the list or table: `permit_mynetworks`, `OK`. */
  readonly action: string
  readonly subject: Subject
  /** `from hash:/etc/postfix/access`, or nothing. */
  readonly origin: string
}

export function permit(action: string, subject: Subject, origin = ''): Verdict {
  return { kind: 'permit', by: { action, subject, origin } }
}

export const dunno: Verdict = { kind: 'dunno' }

export function refuse(reply: string): Verdict {
  return { kind: 'refuse', reply }
}

/** A mistake in main.cf or a table: nobody is refused for good because of it. The log has named it. */
export const misconfigured: Verdict = {
  kind: 'refuse',
  reply: '451 4.3.5 Server configuration error',
}

/** A restriction at work. */
export type Check = (evaluation: Evaluation) => Verdict | Promise<Verdict>

/** As written: a name, and an argument where the name takes one. */
export interface Restriction {
  readonly name: string
  /** Undefined: it takes none, or there was none. */
  readonly argument: string | undefined
  /** The word that follows. */
  readonly next: string | undefined
}

/** Restrictions that take the next word as their argument. */
const WITH_ARGUMENT =
  /^(?:check_\w+_access|check_policy_service|reject_rbl_client|reject_rhsbl_\w+|permit_dnswl_client|permit_rhswl_client|reject_rbl|sleep)$/i

/** Splits the value of a restriction list. */
export function parseRestrictions(words: readonly string[]): Restriction[] {
  const restrictions: Restriction[] = []
  for (let at = 0; at < words.length; at++) {
    const name = words[at] ?? ''
    if (!WITH_ARGUMENT.test(name)) {
      restrictions.push({ name, argument: undefined, next: words[at + 1] })
      continue
    }
    const argument = words[++at]
    restrictions.push({ name, argument, next: words[at + 1] })
  }
  return restrictions
}

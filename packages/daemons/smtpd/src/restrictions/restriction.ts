/**
 * restriction - one word of an access list, and what evaluating it can end with
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { Evaluation } from './evaluation.ts'

/** refuse: `reply` is the complete SMTP reply. dunno: the next restriction decides. */
export type Verdict =
  | { readonly kind: 'permit' }
  | { readonly kind: 'dunno' }
  | { readonly kind: 'refuse'; readonly reply: string }

export const permit: Verdict = { kind: 'permit' }
export const dunno: Verdict = { kind: 'dunno' }

export function refuse(reply: string): Verdict {
  return { kind: 'refuse', reply }
}

/** A restriction at work. */
export type Check = (evaluation: Evaluation) => Verdict | Promise<Verdict>

/** As written: a name, and an argument where the name takes one. */
export interface Restriction {
  readonly name: string
  readonly argument: string
}

/** Restrictions that take the next word as their argument. */
const WITH_ARGUMENT =
  /^(?:check_\w+_access|check_policy_service|reject_rbl_client|reject_rhsbl_\w+|permit_dnswl_client|permit_rhswl_client|reject_rbl|sleep)$/

/** Splits the value of a restriction list. @throws {ConfigError} an argument is missing */
export function parseRestrictions(words: readonly string[]): Restriction[] {
  const restrictions: Restriction[] = []
  for (let at = 0; at < words.length; at++) {
    const name = words[at] ?? ''
    if (!WITH_ARGUMENT.test(name)) {
      restrictions.push({ name, argument: '' })
      continue
    }
    const argument = words[++at]
    if (argument === undefined) {
      throw new ConfigError(`restriction ${name} requires an argument`)
    }
    restrictions.push({ name, argument })
  }
  return restrictions
}

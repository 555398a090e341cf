/**
 * policy-answer - a policy in the words of smtp_tls_policy_maps
 *
 *     policy       secure match=mx1.example.com:.example.net servername=hostname
 *     policy-3.10  the same, and what Postfix 3.10 wants for reports, and to hold MX host names against the patterns:
 *                  policy_type=sts policy_domain=example.com policy_ttl=604800 mx_host_pattern=mx1.example.com
 *                  mx_host_pattern=*.example.net { policy_string = version: STSv1 } ...
 *
 * In 3.7 `.example.net` stands for any number of labels where `*.example.net` of RFC 8461 4.1 stands for one, and MX host names
 * are not looked at: a host that the policy does not list gets mail if its certificate is for a name that is listed.
 * Sources: Postfix 3.7 and 3.10 postconf(5) smtp_tls_policy_maps, TLSRPT_README.
 */
import type { PolicyFailure } from './mtasts-error.ts'
import { policyLines, type StsPolicy } from './sts-policy.ts'

export type PolicyAnswer =
  | { readonly kind: 'policy'; readonly policy: StsPolicy; readonly remainingSeconds: number }
  /** No policy, as far as anybody can tell. */
  | { readonly kind: 'absent' }
  /** The record is there, the policy cannot be had. */
  | { readonly kind: 'broken'; readonly failure: PolicyFailure }
  | { readonly kind: 'tryAgain'; readonly reason: string }

/**
 * What a policy in testing mode, or a broken one, leaves of the site's own smtp_tls_security_level: such an answer must not be
 * weaker. undefined: no word would do, so there is no answer.
 */
export type LenientLevel = 'may' | 'encrypt' | undefined

/** smtp_tls_security_level to that; `dane` is looked for first by smtp(8), whatever the policy says. */
export function lenientLevel(siteLevel: string): LenientLevel {
  switch (siteLevel) {
    case '':
    case 'none':
    case 'may':
    case 'dane':
      return 'may'
    case 'encrypt':
      return 'encrypt'
    default:
      return undefined
  }
}

/** Name `policy`. undefined: not found. */
export function formatPolicy(answer: PolicyAnswer): string | undefined {
  if (answer.kind !== 'policy' || answer.policy.mode !== 'enforce') return undefined
  const names = answer.policy.mxPatterns.map((pattern) => pattern.replace(/^\*/, ''))
  return `secure match=${names.join(':')} servername=hostname`
}

/** Name `policy-3.10`. undefined: not found. */
export function formatPolicyWithAttributes(
  domain: string,
  answer: PolicyAnswer,
  level: LenientLevel,
): string | undefined {
  const type = `policy_type=sts policy_domain=${domain}`
  if (answer.kind === 'broken') {
    return level && `${level} ${type} policy_failure=${answer.failure}`
  }
  if (answer.kind !== 'policy' || answer.policy.mode === 'none') return undefined
  const start = formatPolicy(answer) ?? level
  if (start === undefined) return undefined
  const { policy, remainingSeconds } = answer
  const patterns = policy.mxPatterns.map((pattern) => `mx_host_pattern=${pattern}`)
  const lines = policyLines(policy).map((line) => `{ policy_string = ${line} }`)
  return [start, type, `policy_ttl=${remainingSeconds}`, ...patterns, ...lines].join(' ')
}

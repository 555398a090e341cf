/**
 * sts-attributes - what an MTA-STS plugin adds to a policy of smtp_tls_policy_maps
 *
 *     policy_type=sts policy_domain=example.com policy_ttl=86400 mx_host_pattern=mx.example.com
 *     { policy_string = mode: enforce }
 *
 * policy_ttl is checked, and no more: a table is asked anew for each delivery request. Source: Postfix 3.10 TLSRPT_README.
 */
import { isValidHostname } from '@posthorn/address/hostname'
import type { TlsrptFailureCode } from '@posthorn/wire/tlsrpt-protocol'
import type { StsPolicy } from './sts-policy.ts'

const NAMES = [
  'policy_type',
  'policy_domain',
  'policy_ttl',
  'policy_string',
  'mx_host_pattern',
  'policy_failure',
] as const
export type StsAttribute = (typeof NAMES)[number]

/** In lower case. */
export function isStsAttribute(name: string): name is StsAttribute {
  return NAMES.some((one) => one === name)
}

const FAILURES: ReadonlyMap<string, TlsrptFailureCode> = new Map(
  (
    [
      'sts-policy-fetch-error',
      'sts-policy-invalid',
      'sts-webpki-invalid',
      'validation-failure',
    ] as const
  ).map((code) => [code, code]),
)

export class StsAttributes {
  readonly #strings: string[] = []
  readonly #patterns: string[] = []
  readonly #seen = new Set<StsAttribute>()
  #type: StsPolicy['type'] | undefined
  #domain: string | undefined
  #failure: TlsrptFailureCode | undefined

  /** What is wrong with it, for the log; undefined: nothing. */
  add(name: StsAttribute, value: string): string | undefined {
    const isList = name === 'policy_string' || name === 'mx_host_pattern'
    if (!isList && this.#seen.has(name)) return `attribute "${name}" is specified multiple times`
    this.#seen.add(name)
    if (value === '') return `attribute "${name}" has empty value`
    return this.#take(name, value) ? undefined : `attribute "${name}" has bad value: "${value}"`
  }

  /** Undefined: there was none of these attributes. A string: they do not go together, and why. */
  finish(): StsPolicy | string | undefined {
    const [first] = this.#seen
    if (first === undefined) return undefined
    if (this.#type === undefined) return `attribute "${first}" without "policy_type"`
    const stray = (['policy_string', 'mx_host_pattern'] as const).find((one) => this.#seen.has(one))
    if (this.#type !== 'sts' && stray !== undefined) {
      return `attribute "${stray}" invalid with "policy_type=${this.#type}"`
    }
    return {
      type: this.#type,
      strings: this.#strings,
      mxHostPatterns: this.#patterns,
      ...(this.#domain !== undefined && { domain: this.#domain }),
      ...(this.#failure !== undefined && { failure: this.#failure }),
    }
  }

  /** False: it makes no sense. */
  #take(name: StsAttribute, value: string): boolean {
    switch (name) {
      case 'policy_type':
        if (value !== 'sts' && value !== 'no-policy-found') return false
        this.#type = value
        return true
      case 'policy_domain':
        this.#domain = value
        return isValidHostname(value)
      case 'policy_ttl':
        return /^\d{1,10}$/.test(value)
      case 'policy_string':
        this.#strings.push(value)
        return true
      case 'mx_host_pattern':
        this.#patterns.push(value)
        return isValidHostname(value.replace(/^\*\./, ''))
      case 'policy_failure':
        this.#failure = FAILURES.get(value)
        return this.#failure !== undefined
    }
  }
}

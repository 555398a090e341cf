/**
 * dnssec-probe - finds out once whether the name server validates, when nothing that it said was validated
 *
 * DANE without validation protects nothing, and nobody would notice. dnssec_probe names a question (`ns:.`) that any
 * validating resolver can answer. Source: Postfix 3.7 postconf(5) dnssec_probe.
 */
import type { RecordType } from '@posthorn/dns/dns-answer'
import { log } from '@posthorn/log/log'

const TYPES = new Map<string, RecordType>(
  (['A', 'AAAA', 'MX', 'TXT', 'SRV', 'PTR', 'NS', 'TLSA'] as const).map((type) => [
    type.toLowerCase(),
    type,
  ]),
)

/** The part of Resolver that is needed. */
export interface ProbedResolver {
  query: (name: string, type: RecordType, options: { dnssec: boolean }) => Promise<ProbeAnswer>
}

interface ProbeAnswer {
  readonly kind: string
  readonly isSecure?: boolean
  readonly reason?: string
}

export class DnssecProbe {
  readonly #resolver: ProbedResolver
  readonly #question: string
  #isSettled: boolean

  constructor(resolver: ProbedResolver, question: string) {
    this.#resolver = resolver
    this.#question = question
    this.#isSettled = question === ''
  }

  /** After every look-up that asked for validation. Asks at most once in the life of the process. */
  async observe(wasValidated: boolean): Promise<void> {
    if (this.#isSettled) return
    this.#isSettled = true
    if (wasValidated) return
    const [typeName = '', name = ''] = this.#question.split(':')
    const type = TYPES.get(typeName.toLowerCase())
    if (type === undefined || name === '') {
      log.warning(`malformed dnssec_probe value: ${this.#question}`)
      return
    }
    const answer = await this.#resolver.query(name, type, { dnssec: true })
    const { kind } = answer
    if (kind === 'found' || kind === 'noData' || kind === 'notFound') {
      if (answer.isSecure === true) return
      log.warning('DNSSEC validation may be unavailable')
      this.#warn('a response that is not DNSSEC validated')
    } else this.#warn(`no response: ${answer.reason ?? kind}`)
  }

  #warn(what: string): void {
    log.warning(`reason: dnssec_probe '${this.#question}' received ${what}`)
  }
}

/**
 * domain-finder - does a domain exist for mail, and a host for HELO
 */
import type { Resolver } from '@posthorn/dns/resolver'

export type Finding = 'found' | 'absent' | 'tryAgain'

export class DomainFinder {
  readonly #resolver: Resolver

  constructor(resolver: Resolver) {
    this.#resolver = resolver
  }

  /** RFC 5321 5.1: MX records, else an address; RFC 7505: a null MX accepts no mail. */
  async findMailDomain(domain: string): Promise<Finding | 'nullMx'> {
    const answer = await this.#resolver.query(domain, 'MX')
    switch (answer.kind) {
      case 'found':
      case 'nullMx':
        return answer.kind
      case 'notFound':
        return 'absent'
      case 'tryAgain':
      case 'failed':
      case 'invalid':
      case 'filtered':
        return 'tryAgain'
      case 'noData':
        return this.#findAddress(domain)
    }
  }

  /** Postfix 3.7 reject_unknown_helo_hostname: an address or MX record. */
  async findHost(name: string): Promise<Finding> {
    const address = await this.#findAddress(name)
    if (address !== 'absent') return address
    const answer = await this.#resolver.query(name, 'MX')
    // RFC 7505: a host that wants no mail is a host
    if (answer.kind === 'nullMx' || answer.kind === 'found') return 'found'
    return answer.kind === 'tryAgain' ? 'tryAgain' : 'absent'
  }

  async #findAddress(name: string): Promise<Finding> {
    let finding: Finding = 'absent'
    for (const type of ['A', 'AAAA'] as const) {
      const answer = await this.#resolver.query(name, type)
      if (answer.kind === 'found') return 'found'
      if (answer.kind === 'tryAgain') finding = 'tryAgain'
    }
    return finding
  }
}

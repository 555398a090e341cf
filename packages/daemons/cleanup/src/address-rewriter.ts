/**
 * address-rewriter - every address in its complete form: user@domain.with.dots
 *
 * trivial-rewrite(8) knows the rules. It is not asked about addresses that no rule can change. Of the others (`root`,
 * `ann@host`) the answers are remembered for 30 seconds, as long as a client of Postfix remembers its last one.
 *
 * Limits: ANSWERS_LIMIT answers, the oldest go first.
 * Source: Postfix 3.7 trivial-rewrite(8).
 */
import { isCompleteAddress } from '@posthorn/address/complete-address'
import { quoteAddress, unquoteAddress } from '@posthorn/address/quote-address'
import type { RewriteClient } from '@posthorn/wire/rewrite-protocol'

export type RewriteRule = 'local' | 'remote'

const ANSWERS_LIMIT = 1000
const ANSWER_LIFE_MS = 30_000

export class AddressRewriter {
  readonly #client: Pick<RewriteClient, 'rewrite'>
  readonly #answers = new Map<string, { readonly address: string; readonly untilMs: number }>()

  constructor(client: Pick<RewriteClient, 'rewrite'>) {
    this.#client = client
  }

  /** External form in and out. @throws {ServiceError} trivial-rewrite(8) cannot be asked */
  external(rule: RewriteRule, address: string): string | Promise<string> {
    if (isCompleteAddress(address)) return address
    const key = `${rule} ${address}`
    const known = this.#answers.get(key)
    if (known !== undefined && known.untilMs > Date.now()) return known.address
    return this.#ask(rule, address, key)
  }

  /** Internal form in and out. @throws as external() */
  internal(rule: RewriteRule, address: string): string | Promise<string> {
    if (isCompleteAddress(address)) return address
    const answer = this.external(rule, quoteAddress(address))
    return typeof answer === 'string' ? unquoteAddress(answer) : answer.then(unquoteAddress)
  }

  async #ask(rule: RewriteRule, address: string, key: string): Promise<string> {
    const answer = await this.#client.rewrite(rule, address)
    this.#answers.delete(key)
    if (this.#answers.size >= ANSWERS_LIMIT) {
      const [oldest] = this.#answers.keys()
      if (oldest !== undefined) this.#answers.delete(oldest)
    }
    this.#answers.set(key, { address: answer, untilMs: Date.now() + ANSWER_LIFE_MS })
    return answer
  }
}

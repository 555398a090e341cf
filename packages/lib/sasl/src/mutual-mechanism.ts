/**
 * mutual-mechanism - two messages of each side: we prove who we are, then the server does
 *
 *     S: challenge   C: proof        S: the server's proof   C: (empty)
 */
import { afterTheEnd, type Mechanism } from './mechanism.ts'

export abstract class MutualMechanism<Proof extends string | Promise<string>> implements Mechanism {
  abstract readonly name: string
  isComplete = false
  #step: 'first' | 'proof' | 'done' = 'first'

  abstract initial(): string | undefined

  /** What shows that we know the password. @throws {SaslError} the challenge is none of the mechanism's */
  protected abstract prove(challenge: string): Proof

  /** @throws {SaslError} the server does not know the password */
  protected abstract verify(proof: string): void

  respond(challenge: string): string | Proof {
    switch (this.#step) {
      case 'first':
        this.#step = 'proof'
        return this.prove(challenge)
      case 'proof':
        this.#step = 'done'
        this.verify(challenge)
        this.isComplete = true
        return ''
      case 'done':
        throw afterTheEnd()
    }
  }
}

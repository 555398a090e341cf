/**
 * command-counts - what a client did, for the line that ends its session
 *
 * `ehlo=1 mail=1 rcpt=7/13 ... commands=14/21`: accepted, then total where it differs, in this fixed order.
 */

const NAMES = [
  ...['helo', 'ehlo', 'xclient', 'xforward', 'starttls', 'auth', 'mail', 'rcpt', 'data', 'bdat'],
  ...['rset', 'noop', 'vrfy', 'etrn', 'quit', 'unknown'],
]

export class CommandCounts {
  readonly #total = new Map<string, number>()
  readonly #accepted = new Map<string, number>()

  /** `name` in lower case. */
  came(name: string): void {
    this.#total.set(name, (this.#total.get(name) ?? 0) + 1)
  }

  succeeded(name: string): void {
    this.#accepted.set(name, (this.#accepted.get(name) ?? 0) + 1)
  }

  toString(): string {
    const words: string[] = []
    let allAccepted = 0
    let all = 0
    const show = (name: string, accepted: number, total: number): void => {
      words.push(
        accepted === total && total > 0 ? `${name}=${total}` : `${name}=${accepted}/${total}`,
      )
    }
    for (const name of NAMES) {
      const total = this.#total.get(name) ?? 0
      if (total === 0) continue
      const accepted = this.#accepted.get(name) ?? 0
      show(name, accepted, total)
      all += total
      allAccepted += accepted
    }
    show('commands', allAccepted, all)
    return words.join(' ')
  }
}

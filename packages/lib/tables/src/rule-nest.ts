/**
 * rule-nest - rules in order, with `if … endif` around some of them
 */
type Test<Key> = (key: Key) => boolean
/** What a rule says of a key; undefined: nothing, go on. */
type Rule<Key, Answer> = (key: Key) => Answer | undefined

interface Block<Key, Answer> {
  readonly rules: Rule<Key, Answer>[]
  readonly place: string
}

export class RuleNest<Key, Answer> {
  readonly #top: Block<Key, Answer> = { rules: [], place: '' }
  readonly #open: Block<Key, Answer>[] = []

  add(test: Test<Key>, answer: (key: Key) => Answer | undefined): void {
    this.rule((key) => (test(key) ? answer(key) : undefined))
  }

  rule(rule: Rule<Key, Answer>): void {
    this.#current.rules.push(rule)
  }

  /** Rules up to the matching close() are for keys that pass the test. `place` is for messages. */
  open(test: Test<Key>, place: string): void {
    const block: Block<Key, Answer> = { rules: [], place }
    this.rule((key) => (test(key) ? searchRules(block.rules, key) : undefined))
    this.#open.push(block)
  }

  /** false: nothing is open. */
  close(): boolean {
    return this.#open.pop() !== undefined
  }

  get isOpen(): boolean {
    return this.#open.length > 0
  }

  /** Where blocks begin that were never closed. */
  unclosed(): string[] {
    return this.#open.map(({ place }) => place)
  }

  search(key: Key): Answer | undefined {
    return searchRules(this.#top.rules, key)
  }

  get #current(): Block<Key, Answer> {
    return this.#open.at(-1) ?? this.#top
  }
}

function searchRules<Key, Answer>(
  rules: readonly Rule<Key, Answer>[],
  key: Key,
): Answer | undefined {
  for (const rule of rules) {
    const answer = rule(key)
    if (answer !== undefined) return answer
  }
  return undefined
}

/**
 * match-list - does a domain, an address or a word match a list of patterns
 *
 *     pattern          the text itself, without regard to letter case
 *     .domain          subdomains of it; with parent_domain_matches_subdomains the dot is left out
 *     192.0.2.0/24     a network; [2001:db8::]/32 too
 *     /file            the patterns in a file
 *     type:table       the table has the subject as a key (its value does not matter)
 *     !any of these    no match; the first pattern that applies decides
 *
 * A table that cannot be asked, or a pattern that makes no sense, is a TableUnavailableError: the answer is neither yes
 * nor no. Sources: Postfix 3.7 postconf(5) mydestination, mynetworks, parent_domain_matches_subdomains.
 */
import { foldCase } from '@posthorn/address/split-address'
import { splitList } from '@posthorn/config/split-list'
import { log } from '@posthorn/log/log'
import { Network, parseIp } from './ip-network.ts'
import { andThen, type LookupTable, type MaybePromise } from './lookup-table.ts'
import { openTable, type TableContext } from './open-table.ts'
import { TableUnavailableError } from './table-error.ts'
import { readTableText } from './table-source.ts'

/** What one pattern says: it applies or it does not. @throws {TableUnavailableError} */
type Test<Subject> = (subject: Subject) => MaybePromise<boolean>

interface Pattern<Subject> {
  readonly isNegated: boolean
  readonly applies: Test<Subject>
}

/** Files within files beyond this depth are a mistake. */
const MAX_DEPTH = 20

class PatternList<Subject> {
  readonly #patterns: readonly Pattern<Subject>[]

  constructor(patterns: readonly Pattern<Subject>[]) {
    this.#patterns = patterns
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0
  }

  matches(subject: Subject, from = 0): MaybePromise<boolean> {
    for (let at = from; at < this.#patterns.length; at++) {
      const pattern = this.#patterns[at]
      if (pattern === undefined) break
      const answer = pattern.applies(subject)
      if (answer instanceof Promise) {
        return answer.then(async (applies) =>
          applies ? !pattern.isNegated : this.matches(subject, at + 1),
        )
      }
      if (answer) return !pattern.isNegated
    }
    return false
  }
}

type Compile<Subject> = (item: string) => Test<Subject>

function compileList<Subject>(
  text: string,
  title: string,
  compile: Compile<Subject>,
  depth = 0,
): PatternList<Subject> {
  const patterns = splitList(text).flatMap((item): Pattern<Subject>[] => {
    const negations = /^!*/.exec(item)?.[0].length ?? 0
    const pattern = item.slice(negations)
    const isNegated = negations % 2 === 1
    if (!pattern.startsWith('/')) return [{ isNegated, applies: compile(pattern) }]
    // A negated file negates what the file says.
    const inner = fileList(pattern, title, compile, depth)
    return [{ isNegated, applies: (subject): MaybePromise<boolean> => inner.matches(subject) }]
  })
  return new PatternList(patterns)
}

function fileList<Subject>(
  path: string,
  title: string,
  compile: Compile<Subject>,
  depth: number,
): PatternList<Subject> {
  try {
    if (depth > MAX_DEPTH) throw new Error('too many files within files')
    const lines = readTableText(path)
      .split('\n')
      .filter((line) => !/^\s*#/.test(line))
    return compileList(lines.join('\n'), title, compile, depth + 1)
  } catch (error) {
    const reason = `${title}: cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`
    log.error(reason)
    const failing = (): never => {
      throw new TableUnavailableError(reason, { cause: error })
    }
    return new PatternList<Subject>([{ isNegated: false, applies: failing }])
  }
}

/** A pattern with a colon outside brackets is a table, unless it can be an IPv6 address. */
function isTable(pattern: string): boolean {
  return /^[^[:]*:/.test(pattern) && parseIp(pattern.replace(/\/\d+$/, '')) === undefined
}

function has(table: LookupTable, key: string, title: string): MaybePromise<boolean> {
  return andThen(table.find(key), (answer) => {
    if (answer.kind === 'tryAgain') {
      log.warning(`${title}: ${table.name}: table lookup problem`)
      throw new TableUnavailableError(`${title}: ${answer.reason}`)
    }
    return answer.kind === 'found'
  })
}

function hasAny(
  table: LookupTable,
  keys: readonly string[],
  title: string,
  from = 0,
): MaybePromise<boolean> {
  const key = keys[from]
  if (key === undefined) return false
  return andThen(has(table, key, title), (isThere): MaybePromise<boolean> =>
    isThere ? true : hasAny(table, keys, title, from + 1),
  )
}

/** The name and its parents: `a.b.c`, `.b.c`, `.c`; without the dots when parents match their subdomains. */
function domainKeys(name: string, parentsMatch: boolean): string[] {
  const keys = [name]
  for (let dot = name.indexOf('.', 1); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    keys.push(name.slice(parentsMatch ? dot + 1 : dot))
  }
  return keys
}

function compileDomain(
  title: string,
  context: TableContext,
  parentsMatch: boolean,
): Compile<string> {
  return (item) => {
    if (isTable(item)) {
      const table = openTable(item, context)
      // A table of patterns gets the name only.
      return (name): MaybePromise<boolean> =>
        hasAny(table, table.isPattern ? [name] : domainKeys(name, parentsMatch), title)
    }
    const pattern = foldCase(item)
    if (parentsMatch) {
      const suffix = `.${pattern}`
      return (name) => name === pattern || name.endsWith(suffix)
    }
    if (pattern.startsWith('.')) return (name) => name.endsWith(pattern) && name !== pattern
    return (name) => name === pattern
  }
}

function compileExact(title: string, context: TableContext): Compile<string> {
  return (item) => {
    if (isTable(item)) {
      const table = openTable(item, context)
      return (word): MaybePromise<boolean> => has(table, word, title)
    }
    const pattern = foldCase(item)
    return (word) => word === pattern
  }
}

/** Here a domain means itself and nothing below it, however it is written. */
const EXACT_LISTS = new Set(['mydestination', 'virtual_alias_domains', 'virtual_mailbox_domains'])

/** Domain names: mydestination, relay_domains and the like. */
export class DomainList {
  readonly #list: PatternList<string>

  private constructor(list: PatternList<string>) {
    this.#list = list
  }

  /** @param title the parameter: it decides whether a domain also means its subdomains */
  static open(title: string, text: string, context: TableContext): DomainList {
    const parents = context.config.list('parent_domain_matches_subdomains')
    const compile = EXACT_LISTS.has(title)
      ? compileExact(title, context)
      : compileDomain(title, context, parents.includes(title))
    return new DomainList(compileList(text, title, compile))
  }

  get isEmpty(): boolean {
    return this.#list.isEmpty
  }

  /** @throws {TableUnavailableError}, or rejects with it */
  matches(domain: string): MaybePromise<boolean> {
    return this.#list.matches(foldCase(domain))
  }
}

/** Words: commands, names of parameters. */
export class StringList {
  readonly #list: PatternList<string>

  private constructor(list: PatternList<string>) {
    this.#list = list
  }

  static open(title: string, text: string, context: TableContext): StringList {
    return new StringList(compileList(text, title, compileExact(title, context)))
  }

  get isEmpty(): boolean {
    return this.#list.isEmpty
  }

  /** @throws {TableUnavailableError}, or rejects with it */
  matches(word: string): MaybePromise<boolean> {
    return this.#list.matches(foldCase(word))
  }
}

interface Host {
  readonly address: string
  /** undefined: no name is known, and none is compared. */
  readonly name: string | undefined
}

/** IP addresses, networks and, where the caller knows one, host names: mynetworks and the like. */
export class AddressList {
  readonly #list: PatternList<Host>

  private constructor(list: PatternList<Host>) {
    this.#list = list
  }

  static open(title: string, text: string, context: TableContext): AddressList {
    const parents = context.config.list('parent_domain_matches_subdomains')
    const byName = compileDomain(title, context, parents.includes(title))
    const compile: Compile<Host> = (item) => {
      if (isTable(item)) {
        const table = openTable(item, context)
        return ({ address, name }): MaybePromise<boolean> =>
          andThen(has(table, address, title), (isThere): MaybePromise<boolean> => {
            if (isThere || name === undefined) return isThere
            const keys = table.isPattern ? [name] : domainKeys(name, parents.includes(title))
            return hasAny(table, keys, title)
          })
      }
      return networkTest(item, title) ?? nameTest(byName(item))
    }
    return new AddressList(compileList(text, title, compile))
  }

  get isEmpty(): boolean {
    return this.#list.isEmpty
  }

  /** @throws {TableUnavailableError}, or rejects with it */
  matches(address: string, name?: string): MaybePromise<boolean> {
    return this.#list.matches({
      address: foldCase(address),
      name: name === undefined ? undefined : foldCase(name),
    })
  }
}

function nameTest(byName: Test<string>): Test<Host> {
  return ({ name }): MaybePromise<boolean> => (name === undefined ? false : byName(name))
}

/** undefined: the pattern is no address and no network. */
function networkTest(item: string, title: string): Test<Host> | undefined {
  if (!/[[\]:/]|^\d+(?:\.\d+){3}$/.test(item)) return undefined
  const parsed = Network.parse(item)
  if (parsed.kind === 'malformed') {
    log.warning(`${title}: ${parsed.why}`)
    return () => {
      throw new TableUnavailableError(`${title}: ${parsed.why}`)
    }
  }
  const { network } = parsed
  return ({ address }) => network.contains(parseIp(address))
}

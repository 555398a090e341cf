/**
 * pcre-pattern - Perl's regular expressions, as JavaScript's
 *
 * The two are near. What JavaScript lacks is rewritten where it can be: `\A \z \Z \h \N \Q…\E \x{41} \g{1} \K \G`,
 * `(?P<name>…)`, `[[:alpha:]]`, options in the middle, atomic groups and possessive quantifiers (as a look-ahead and a
 * reference to what it found, so groups are counted anew). Recursion, conditions, branch reset, `\p \R \X \C` are refused: the
 * rule is left out with a warning. A reference to a group that took no part matches nothing instead of failing.
 * Source: Postfix pcre_table(5), pcre2pattern(3).
 */
import { type CompiledPattern, UnknownOptionError } from './pattern-table.ts'
import { characterClass } from './posix-bracket.ts'

const OPTIONS = { i: true, m: false, s: true, x: false, A: false, E: false, U: false, X: false }
type Options = typeof OPTIONS

/** @param options toggles: i (ignore case, on), m (lines, off), s (dot matches line feed, on), x, A, E, U, X (off) */
export function pcrePattern(pattern: string, options: string): CompiledPattern {
  const on = { ...OPTIONS }
  for (const option of options) {
    if (!isOption(option)) throw new UnknownOptionError(option)
    on[option] = !on[option]
  }
  const { source, groups } = new Translation(pattern, on).run()
  const anchored = on.A ? `${SUBJECT_START}(?:${source})` : source
  const flags = `${on.i ? 'i' : ''}${on.m ? 'm' : ''}${on.s ? 's' : ''}`
  return { expression: new RegExp(anchored, flags), groups }
}

function isOption(letter: string): letter is keyof Options {
  return Object.hasOwn(OPTIONS, letter)
}

const SUBJECT_START = '(?<![\\s\\S])'
const SUBJECT_END = '(?![\\s\\S])'
const END_OR_LAST_NEWLINE = '(?=\\n?(?![\\s\\S]))'

interface OpenGroup {
  /** Where it begins in the source. */
  readonly start: number
  /** Options in force outside of it. */
  readonly x: boolean
  /** What closes it besides its own parenthesis: groups that options in the middle have opened, an atomic group. */
  closers: string
}

class Translation {
  readonly #pattern: string
  readonly #on: Readonly<Options>
  readonly #groups: number[] = []
  readonly #open: OpenGroup[]
  readonly #names = new Set<string>()
  /** Names that something refers to. */
  readonly #wanted = new Set<string>()
  #groupCount = 0
  #atomicCount = 0
  #isExtended: boolean
  #at = 0
  #source = ''
  /** Where the last thing that a quantifier may follow begins in #source. */
  #atom = 0

  constructor(pattern: string, on: Readonly<Options>) {
    this.#pattern = pattern
    this.#on = on
    this.#isExtended = on.x
    this.#open = [{ start: 0, x: on.x, closers: '' }]
  }

  run(): { source: string; groups: readonly number[] } {
    while (this.#at < this.#pattern.length) this.#step(this.#pattern.slice(this.#at))
    if (this.#open.length > 1) throw new SyntaxError('missing closing parenthesis')
    if ([...this.#wanted].some((name) => !this.#names.has(name))) {
      throw new SyntaxError('reference to non-existent subpattern')
    }
    return { source: this.#source + (this.#open[0]?.closers ?? ''), groups: this.#groups }
  }

  #step(rest: string): void {
    const char = rest.charAt(0)
    if (char === '\\') this.#escape(rest)
    else if (char === '[') this.#bracket()
    else if (char === '(') this.#openGroup(rest)
    else if (char === ')') this.#closeGroup()
    else if (char === '|') this.#alternative()
    else if (this.#isExtended && /\s/.test(char)) this.#at++
    else if (this.#isExtended && char === '#') this.#at += /^[^\n]*/.exec(rest)?.[0].length ?? 1
    else if (char === '$' && !this.#on.m && !this.#on.E) this.#emit(END_OR_LAST_NEWLINE, 1)
    else if (/^(?:[*+?]|\{\d+(?:,\d*)?\})/.test(rest)) this.#quantifier(rest)
    else this.#emit(/[{}\]/]/.test(char) ? `\\${char}` : char, 1)
  }

  #emit(source: string, width: number): void {
    this.#atom = this.#source.length
    this.#source += source
    this.#at += width
  }

  #openGroup(rest: string): void {
    const comment = /^\(\?#[^)]*\)/.exec(rest)?.[0]
    const setting = /^\(\?([imsx]*)(?:-([imsx]+))?\)/.exec(rest)
    const named = /^\(\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')/.exec(rest)
    const reference = /^\(\?P=(\w+)\)/.exec(rest)
    if (comment !== undefined) this.#at += comment.length
    else if (setting) this.#setOptions(setting)
    else if (reference) this.#namedReference(reference)
    else if (named) this.#namedGroup(named)
    else if (rest.startsWith('(?>')) this.#push(this.#atomicOpening(), 3, ATOMIC_END)
    else if (/^\(\?(?:[:=!]|<[=!])/.test(rest)) {
      const width = rest.startsWith('(?<') ? 4 : 3
      this.#push(rest.slice(0, width), width, '')
    } else if (/^\(\?[imsx-]+:/.test(rest)) {
      const width = rest.indexOf(':') + 1
      this.#push(rest.slice(0, width).replace('x', ''), width, '')
    } else if (rest.startsWith('(?') || rest.startsWith('(*')) {
      throw new SyntaxError(`unsupported construct "${rest.slice(0, 3)}"`)
    } else this.#capture('(', 1)
  }

  #namedGroup([all, ...names]: RegExpExecArray): void {
    const name = names.join('')
    this.#names.add(name)
    this.#capture(`(?<${name}>`, all.length)
  }

  #namedReference([all, ...names]: RegExpExecArray): void {
    const name = names.join('')
    this.#wanted.add(name)
    this.#emit(`\\k<${name}>`, all.length)
  }

  #push(source: string, width: number, closers: string): void {
    this.#open.push({ start: this.#source.length, x: this.#isExtended, closers })
    this.#source += source
    this.#at += width
    this.#atom = this.#source.length
  }

  #capture(source: string, width: number): void {
    this.#groups.push(++this.#groupCount)
    this.#push(source, width, '')
  }

  /** `(?i)` holds until the end of the group that it stands in. */
  #setOptions([all, on = '', off = '']: RegExpExecArray): void {
    if (on.includes('x')) this.#isExtended = true
    if (off.includes('x')) this.#isExtended = false
    const plus = on.replace('x', '')
    const minus = off.replace('x', '')
    this.#at += all.length
    const group = this.#open.at(-1)
    if (plus + minus === '' || group === undefined) return
    this.#source += `(?${plus}${minus === '' ? '' : `-${minus}`}:`
    this.#atom = this.#source.length
    group.closers += ')'
  }

  #alternative(): void {
    const group = this.#open.at(-1)
    const isInside = group !== undefined && /^\)+$/.test(group.closers)
    // options reach over `|`, a group of JavaScript does not
    if (isInside) throw new SyntaxError('unsupported options before "|"')
    this.#emit('|', 1)
    this.#atom = this.#source.length
  }

  #closeGroup(): void {
    const group = this.#open.length > 1 ? this.#open.pop() : undefined
    if (group === undefined) throw new SyntaxError('unmatched closing parenthesis')
    const isAtomic = group.closers.startsWith(ATOMIC_END)
    const settings = isAtomic ? group.closers.slice(ATOMIC_END.length) : group.closers
    this.#source += isAtomic ? `${settings}${this.#atomicClosing(group.start)}` : `${settings})`
    this.#isExtended = group.x
    this.#at++
    this.#atom = group.start
  }

  /** `(?>X)` is `(?:(?=(?<name>X))\k<name>)`. */
  #atomicOpening(): string {
    this.#groupCount++
    return `(?:(?=(?<${ATOMIC}${this.#atomicCount++}>`
  }

  #atomicClosing(start: number): string {
    const name = /^\(\?:\(\?=\(\?<(\w+)>/.exec(this.#source.slice(start))?.[1] ?? ''
    return `))\\k<${name}>)`
  }

  #quantifier(rest: string): void {
    if (this.#atom >= this.#source.length) {
      throw new SyntaxError('quantifier does not follow a repeatable item')
    }
    const amount = /^(?:[*+?]|\{[\d,]+\})/.exec(rest)?.[0] ?? ''
    const suffix = rest.charAt(amount.length)
    const start = this.#atom
    if (suffix === '+') {
      this.#possessive(start, amount)
    } else {
      const isLazy = (suffix === '?') !== this.#on.U
      this.#source += amount + (isLazy ? '?' : '')
    }
    this.#at += amount.length + (suffix === '+' || suffix === '?' ? 1 : 0)
    // nothing may follow a quantifier but another thing
    this.#atom = this.#source.length
  }

  /** `X*+` is `(?>X*)`: the groups of X move up by one. */
  #possessive(start: number, amount: string): void {
    const repeated = this.#source.slice(start)
    const inside = repeated.match(/(?<!\\)\((?!\?(?:[:=!imsx-]|<[=!]))/g)?.length ?? 0
    if (/\\[1-9]/.test(repeated) || (inside > 0 && repeated.includes('['))) {
      throw new SyntaxError('unsupported possessive quantifier')
    }
    const first = this.#groupCount - inside + 1
    for (const [at, number] of this.#groups.entries()) {
      if (number >= first) this.#groups[at] = number + 1
    }
    const opening = this.#atomicOpening()
    this.#source = `${this.#source.slice(0, start)}${opening}${repeated}${amount}`
    this.#source += this.#atomicClosing(start)
  }

  #escape(rest: string): void {
    const char = rest.charAt(1)
    const hex = /^\\x\{([0-9A-Fa-f]{1,2})\}/.exec(rest)
    const number = /^\\(?:g\{?(\d+)\}?|([1-9]))/.exec(rest)
    const name = /^\\(?:k|g)(?:\{(\w+)\}|<(\w+)>|'(\w+)')/.exec(rest)
    if (char === '') throw new SyntaxError('\\ at end of pattern')
    if (char === 'Q') this.#quoted(rest)
    else if (hex) this.#emit(`\\x${(hex[1] ?? '').padStart(2, '0')}`, hex[0].length)
    else if (number) this.#reference(Number(number[1] ?? number[2]), number[0].length)
    else if (name) this.#namedReference(name)
    else if (ESCAPES.has(char)) this.#emit(ESCAPES.get(char) ?? '', 2)
    else if (/[dDwWsSbBnrtfv0x]/.test(char)) this.#emit(rest.slice(0, 2), 2)
    else if (char === 'c') this.#emit(rest.slice(0, 3), 3)
    else if (/[A-Za-z0-9]/.test(char)) throw new SyntaxError(`unsupported escape "\\${char}"`)
    else this.#emit(literal(char), 2)
  }

  #quoted(rest: string): void {
    const end = rest.indexOf('\\E')
    const text = end < 0 ? rest.slice(2) : rest.slice(2, end)
    for (const char of text) this.#emit(literal(char), 0)
    this.#at += end < 0 ? rest.length : end + 2
  }

  #reference(number: number, width: number): void {
    const group = this.#groups[number - 1]
    // a group that comes later has found nothing yet, and what refers to it fails
    this.#emit(group === undefined ? '(?!)' : `(?:\\${group})`, width)
  }

  /** As POSIX, but a backslash escapes. */
  #bracket(): void {
    const [all, caret = '', inside = ''] =
      /^\[(\^?)(\]?(?:\[:\^?[a-z]+:\]|\\[^]|[^\]\\])*)\]/.exec(this.#pattern.slice(this.#at)) ?? []
    if (all === undefined) throw new SyntaxError('missing terminating ] for character class')
    const source = inside.replace(
      /\[:(\^?)([a-z]+):\]|\\(?:x\{([0-9A-Fa-f]{1,2})\}|([^]))|[[\]/]/g,
      (found, not: string | undefined, name?: string, hex?: string, char?: string) => {
        if (name !== undefined) return classInside(name, not === '^')
        if (hex !== undefined) return `\\x${hex.padStart(2, '0')}`
        return char === undefined ? `\\${found}` : escapeInside(char)
      },
    )
    this.#emit(`[${caret}${source}]`, all.length)
  }
}

/** JavaScript has no negated class inside a class, but every octet can be told. */
function classInside(name: string, isNegated: boolean): string {
  const known = name === 'word' ? '\\w' : characterClass(name)
  if (known === undefined) throw new SyntaxError('unknown POSIX class name')
  if (!isNegated) return known
  const belongs = new RegExp(`[${known}]`)
  const others = Array.from({ length: 256 }, (_, code) => code).filter(
    (code) => !belongs.test(String.fromCharCode(code)),
  )
  return others.map((code) => `\\x${code.toString(16).padStart(2, '0')}`).join('')
}

function escapeInside(char: string): string {
  if (char === 'h') return ' \\t'
  if (/[dDwWsSbnrtfv0xc\\\]^[-]/.test(char)) return `\\${char}`
  if (char === 'a') return '\\x07'
  if (char === 'e') return '\\x1b'
  if (/[A-Za-z1-9]/.test(char)) throw new SyntaxError(`unsupported escape "\\${char}"`)
  return literal(char)
}

function literal(char: string): string {
  if (/[A-Za-z0-9_\x80-\xff]/.test(char)) return char
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/** Names of groups that stand for atomic ones; nobody writes such a name. */
const ATOMIC = 'posthorn_atomic_'
const ATOMIC_END = 'atomic'

const ESCAPES = new Map([
  ['A', SUBJECT_START],
  ['G', SUBJECT_START],
  ['z', SUBJECT_END],
  ['Z', END_OR_LAST_NEWLINE],
  ['h', '[ \\t]'],
  ['H', '[^ \\t]'],
  ['a', '\\x07'],
  ['e', '\\x1b'],
  ['N', '[^\\n]'],
  ['K', ''],
  ['E', ''],
])

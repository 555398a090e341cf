/**
 * posix-pattern - POSIX regular expressions, as the JavaScript ones that match the same
 *
 * Extended expressions, and basic ones, where the operators carry the backslash; with what the GNU library adds (`\< \> \b
 * \w \s`, `\+ \? \|` in basic ones) and refuses. Of alternatives JavaScript takes the first that matches, POSIX the
 * longest: what matches is the same, what a group holds may differ; and a group in a repeated one is forgotten with each turn.
 * Sources: POSIX.1-2017 9, regex(7), Postfix 3.7 regexp_table(5), and postmap(1) for what they leave open.
 */
import { type CompiledPattern, UnknownOptionError } from './pattern-table.ts'
import { translateBracket } from './posix-bracket.ts'

/** regex(3): RE_DUP_MAX of the GNU library. */
const REPEAT_LIMIT = 32_767
const SPACE = ' \\t\\n\\v\\f\\r'
const BAD_REPEAT = 'Invalid preceding regular expression'

/** @param options toggles: i (ignore case, on), m (lines, off), x (extended syntax, on) */
export function posixPattern(pattern: string, options: string): CompiledPattern {
  const isOn = { i: true, m: false, x: true }
  for (const option of options) {
    if (option !== 'i' && option !== 'm' && option !== 'x') throw new UnknownOptionError(option)
    isOn[option] = !isOn[option]
  }
  const { source, groups } = new PosixTranslation(pattern, isOn).run()
  const flags = `${isOn.i ? 'i' : ''}${isOn.m ? 'm' : 's'}`
  return { expression: new RegExp(source, flags), groups }
}

/** What stands before the place where we are. */
type Before = 'start' | 'anchor' | 'atom' | 'repeat'

class PosixTranslation {
  readonly #pattern: string
  readonly #isExtended: boolean
  readonly #isLines: boolean
  readonly #ignoresCase: boolean
  #at = 0
  #source = ''
  #before: Before = 'start'
  /** Where the last atom begins in #source. */
  #atom = 0
  /** Where the groups begin that are open. */
  readonly #groups: { readonly start: number; readonly number: number }[] = []
  #groupCount = 0
  readonly #closed = new Set<number>()

  constructor(pattern: string, on: Readonly<Record<'i' | 'm' | 'x', boolean>>) {
    this.#pattern = pattern
    this.#isExtended = on.x
    this.#isLines = on.m
    this.#ignoresCase = on.i
  }

  /** @throws {SyntaxError} in the words of regerror(3) */
  run(): { source: string; groups: readonly number[] } {
    while (this.#at < this.#pattern.length) {
      const char = this.#pattern.charAt(this.#at)
      const next = this.#pattern.charAt(this.#at + 1)
      if (char === '[') this.#bracket()
      else if (char !== '\\') this.#plain(char)
      else if (!this.#isExtended && next !== '' && '(){}|+?'.includes(next)) this.#operator(next, 2)
      else this.#escape(next)
    }
    if (this.#groups.length > 0) throw new SyntaxError('Unmatched ( or \\(')
    const groups = Array.from({ length: this.#groupCount }, (_, at) => at + 1)
    return { source: this.#source, groups }
  }

  /** A character without a backslash. */
  #plain(char: string): void {
    if (char === '.') this.#emit('.', 1)
    else if (char === '*') this.#operator('*', 1)
    else if (char === '^') this.#caret()
    else if (char === '$') this.#dollar()
    else if (this.#isExtended && '(){|+?'.includes(char)) this.#operator(char, 1)
    else this.#emit(literal(char), 1)
  }

  #operator(char: string, width: number): void {
    switch (char) {
      case '(':
        this.#groups.push({ start: this.#source.length, number: ++this.#groupCount })
        this.#mark('(', width, 'start')
        return
      case ')':
        this.#closeGroup(width)
        return
      case '|':
        this.#mark('|', width, 'start')
        return
      case '}':
        this.#emit('\\}', width)
        return
      case '{':
        this.#interval(width)
        return
      default:
        this.#repeat(char, width)
    }
  }

  #closeGroup(width: number): void {
    const group = this.#groups.pop()
    if (group === undefined) {
      if (!this.#isExtended) throw new SyntaxError('Unmatched ( or \\(')
      this.#emit('\\)', width)
      return
    }
    this.#closed.add(group.number)
    this.#mark(')', width, 'atom')
    this.#atom = group.start
  }

  /** `{n}`, `{n,}`, `{,m}`, `{n,m}`; in basic expressions with backslashes. */
  #interval(width: number): void {
    const close = this.#isExtended ? '}' : '\\}'
    const end = this.#pattern.indexOf(close, this.#at + width)
    if (this.#before === 'start' || this.#before === 'anchor') throw new SyntaxError(BAD_REPEAT)
    if (end < 0) throw new SyntaxError('Unmatched \\{')
    const text = this.#pattern.slice(this.#at + width, end)
    const [, low = '', comma, high = ''] = /^(\d*)(,(\d*))?$/.exec(text) ?? []
    const isWrong =
      (low === '' && comma === undefined) || (high !== '' && Number(low) > Number(high))
    if (isWrong) throw new SyntaxError('Invalid content of \\{\\}')
    if (Math.max(Number(low), Number(high)) > REPEAT_LIMIT) {
      throw new SyntaxError('Regular expression too big')
    }
    this.#repeat(
      `{${low || '0'}${comma === undefined ? '' : `,${high}`}}`,
      end + close.length - this.#at,
    )
  }

  #repeat(operator: string, width: number): void {
    const isFirst = this.#before === 'start' || this.#before === 'anchor'
    if (isFirst && this.#isExtended) throw new SyntaxError(BAD_REPEAT)
    if (isFirst) {
      this.#emit(`\\${operator}`, width)
      return
    }
    if (this.#before === 'repeat') {
      if (!this.#isExtended) throw new SyntaxError(BAD_REPEAT)
      const repeated = this.#source.slice(this.#atom)
      this.#source = `${this.#source.slice(0, this.#atom)}(?:${repeated})`
    }
    this.#mark(operator, width, 'repeat')
  }

  /** An anchor everywhere in extended expressions, at the beginning of one in basic ones. */
  #caret(): void {
    if (this.#isExtended || this.#before === 'start') this.#mark('^', 1, 'anchor')
    else this.#emit('\\^', 1)
  }

  #dollar(): void {
    const rest = this.#pattern.slice(this.#at + 1)
    if (this.#isExtended || /^(?:$|\\[)|])/.test(rest)) this.#mark('$', 1, 'anchor')
    else this.#emit('\\$', 1)
  }

  #bracket(): void {
    const { source, end } = translateBracket(this.#pattern, this.#at, this.#isLines)
    this.#emit(source, end - this.#at)
  }

  #escape(char: string): void {
    if (char === '') throw new SyntaxError('Trailing backslash')
    const anchor = ANCHORS.get(char)
    if (anchor !== undefined) this.#mark(anchor, 2, 'anchor')
    else if (/[1-9]/.test(char)) this.#backReference(char)
    else this.#emit(SETS.get(char) ?? this.#escapedLiteral(char), 2)
  }

  #backReference(char: string): void {
    if (!this.#closed.has(Number(char))) throw new SyntaxError('Invalid back reference')
    // (?:) keeps a digit behind it out of the number
    this.#emit(`(?:\\${char})`, 2)
  }

  /** The GNU library compares `\d` without regard to case with upper-case text only: it matches nothing. */
  #escapedLiteral(char: string): string {
    return this.#ignoresCase && /[a-z]/.test(char) ? '(?!)' : literal(char)
  }

  #emit(source: string, width: number): void {
    this.#atom = this.#source.length
    this.#mark(source, width, 'atom')
  }

  #mark(source: string, width: number, before: Before): void {
    this.#source += source
    this.#at += width
    this.#before = before
  }
}

const ANCHORS = new Map([
  ['<', '\\b(?=\\w)'],
  ['>', '\\b(?<=\\w)'],
  ['b', '\\b'],
  ['B', '\\B'],
  ['`', '(?<![\\s\\S])'],
  ["'", '(?![\\s\\S])'],
])

const SETS = new Map([
  ['w', '\\w'],
  ['W', '\\W'],
  ['s', `[${SPACE}]`],
  ['S', `[^${SPACE}]`],
])

function literal(char: string): string {
  return /[A-Za-z0-9_\x80-\xff]/.test(char)
    ? char
    : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
}

/**
 * pcre-pattern - Perl's regular expressions, as JavaScript's
 *
 * The two are near: what JavaScript lacks and mail tables use is rewritten (`\A \z \Z \h \Q…\E`, `(?P<name>…)`,
 * `[[:alpha:]]`, option letters at the start, the x option). Atomic groups, possessive quantifiers and recursion are
 * refused: the rule is left out with a warning. Source: Postfix pcre_table(5), pcrepattern(3).
 */
import { translateBracket } from './posix-pattern.ts'
import { UnknownOptionError } from './pattern-table.ts'

interface Options {
  i: boolean
  m: boolean
  s: boolean
  x: boolean
  A: boolean
  E: boolean
  U: boolean
  X: boolean
}

/** @param options toggles: i (ignore case, on), m (lines, off), s (dot matches line feed, on), x, A, E, U, X (off) */
export function pcrePattern(pattern: string, options: string): RegExp {
  const on: Options = {
    i: true,
    m: false,
    s: true,
    x: false,
    A: false,
    E: false,
    U: false,
    X: false,
  }
  for (const option of options) {
    if (!isOption(option, on)) throw new UnknownOptionError(option)
    on[option] = !on[option]
  }
  const [leading = '', letters = ''] = /^\(\?([imsx]+)\)/.exec(pattern) ?? []
  for (const letter of letters) if (isOption(letter, on)) on[letter] = true
  const source = new Translation(pattern.slice(leading.length), on).run()
  const anchored = on.A ? `(?<![\\s\\S])(?:${source})` : source
  return new RegExp(anchored, `${on.i ? 'i' : ''}${on.m ? 'm' : ''}${on.s ? 's' : ''}`)
}

function isOption(letter: string, on: Options): letter is keyof Options {
  return Object.hasOwn(on, letter)
}

const END_OR_LAST_NEWLINE = '(?=\\n?(?![\\s\\S]))'

class Translation {
  readonly #pattern: string
  readonly #on: Readonly<Options>
  #at = 0
  #source = ''

  constructor(pattern: string, on: Readonly<Options>) {
    this.#pattern = pattern
    this.#on = on
  }

  run(): string {
    while (this.#at < this.#pattern.length) this.#step()
    return this.#source
  }

  #emit(text: string, width: number): void {
    this.#source += text
    this.#at += width
  }

  #step(): void {
    const rest = this.#pattern.slice(this.#at)
    const char = rest.charAt(0)
    if (char === '\\') this.#escape(rest)
    else if (char === '[') this.#bracket()
    else if (rest.startsWith('(?P<')) this.#emit('(?<', 4)
    else if (rest.startsWith('(?#')) this.#emit('', rest.indexOf(')') + 1 || rest.length)
    else if (/^\(\?[>|R&0-9+]/.test(rest))
      throw new SyntaxError(`unsupported construct "${rest.slice(0, 3)}"`)
    else if (this.#on.x && /\s/.test(char)) this.#emit('', 1)
    else if (this.#on.x && char === '#') this.#emit('', /^[^\n]*/.exec(rest)?.[0].length ?? 1)
    else if (char === '$' && !this.#on.m && !this.#on.E) this.#emit(END_OR_LAST_NEWLINE, 1)
    else if (/[*+?}]/.test(char)) this.#quantifier(rest)
    else this.#emit(char, 1)
  }

  /** With the U option greed is the exception. */
  #quantifier(rest: string): void {
    const next = rest.charAt(1)
    if (next === '+') throw new SyntaxError('unsupported possessive quantifier')
    if (!this.#on.U || this.#source.endsWith('(')) this.#emit(rest.charAt(0), 1)
    else if (next === '?') this.#emit(rest.charAt(0), 2)
    else this.#emit(`${rest.charAt(0)}?`, 1)
  }

  #escape(rest: string): void {
    const char = rest.charAt(1)
    if (char === '') throw new SyntaxError('\\ at end of pattern')
    if (char === 'Q') {
      const end = rest.indexOf('\\E')
      const literal = end < 0 ? rest.slice(2) : rest.slice(2, end)
      this.#emit(literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), end < 0 ? rest.length : end + 2)
      return
    }
    const known = ESCAPES.get(char)
    if (known !== undefined) this.#emit(known, 2)
    else if (/[KGCRX]/.test(char)) throw new SyntaxError(`unsupported escape "\\${char}"`)
    else if (/[<>@%#!&=~`'",;: -]/.test(char) || char === '_') this.#emit(char, 2)
    else this.#emit(`\\${char}`, 2)
  }

  /** As POSIX, but a backslash escapes. */
  #bracket(): void {
    let at = this.#at + 1
    if (this.#pattern.charAt(at) === '^') at++
    if (this.#pattern.charAt(at) === ']') at++
    let hasEscape = false
    while (at < this.#pattern.length && this.#pattern.charAt(at) !== ']') {
      const named = /^\[:\^?[a-z]+:\]/.exec(this.#pattern.slice(at))
      if (this.#pattern.charAt(at) === '\\') hasEscape = true
      at += named ? named[0].length : this.#pattern.charAt(at) === '\\' ? 2 : 1
    }
    if (at >= this.#pattern.length)
      throw new SyntaxError('missing terminating ] for character class')
    const text = this.#pattern.slice(this.#at, at + 1)
    this.#emit(
      hasEscape ? this.#escapedBracket(text) : translateBracket(text, 0).source,
      text.length,
    )
  }

  #escapedBracket(text: string): string {
    return text
      .replace(/\[:[a-z]+:\]/g, (name) => translateBracket(`[${name}]`, 0).source.slice(1, -1))
      .replace(/\\h/g, ' \\t')
      .replace(/^(\[\^?)\]/, '$1\\]')
      .replace(/\\([^A-Za-z0-9\\\]^[-])/g, (_, char: string) => (char === '/' ? '\\/' : char))
      .replace(/(.)\[/gs, (all, before: string) => (before === '\\' ? all : `${before}\\[`))
  }
}

const ESCAPES = new Map([
  ['A', '(?<![\\s\\S])'],
  ['z', '(?![\\s\\S])'],
  ['Z', END_OR_LAST_NEWLINE],
  ['h', '[ \\t]'],
  ['H', '[^ \\t]'],
  ['a', '\\x07'],
  ['e', '\\x1b'],
  ['N', '[^\\n]'],
  ['E', ''],
])

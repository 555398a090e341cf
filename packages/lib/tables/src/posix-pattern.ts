/**
 * posix-pattern - POSIX regular expressions, as the JavaScript ones that match the same
 *
 * Differences that matter: in brackets a backslash is literal, `]` may come first, and there are classes such as
 * `[:alnum:]`; `\<` and `\>` are word boundaries; in basic expressions the operators carry the backslash. Of alternatives
 * JavaScript takes the first that matches, POSIX the longest: what matches is the same, what a group holds may differ.
 * Sources: POSIX.1-2017 9, regex(7), Postfix 3.7 regexp_table(5).
 */
import { UnknownOptionError } from './pattern-table.ts'

const CLASSES = new Map([
  ['alnum', 'A-Za-z0-9'],
  ['alpha', 'A-Za-z'],
  ['blank', ' \\t'],
  ['cntrl', '\\x00-\\x1f\\x7f'],
  ['digit', '0-9'],
  ['graph', '\\x21-\\x7e'],
  ['lower', 'a-z'],
  ['print', '\\x20-\\x7e'],
  ['punct', '!-\\/:-@\\[-`{-~'],
  ['space', ' \\t\\n\\r\\f\\v'],
  ['upper', 'A-Z'],
  ['xdigit', '0-9A-Fa-f'],
])

/** @param options toggles: i (ignore case, on), m (lines, off), x (extended syntax, on) */
export function posixPattern(pattern: string, options: string): RegExp {
  const isOn = { i: true, m: false, x: true }
  for (const option of options) {
    if (option !== 'i' && option !== 'm' && option !== 'x') throw new UnknownOptionError(option)
    isOn[option] = !isOn[option]
  }
  const source = isOn.x ? translateExtended(pattern, isOn.m) : translateBasic(pattern, isOn.m)
  return new RegExp(source, `${isOn.i ? 'i' : ''}${isOn.m ? 'm' : 's'}`)
}

function translateExtended(pattern: string, isLines: boolean): string {
  let source = ''
  for (let at = 0; at < pattern.length;) {
    const char = pattern.charAt(at)
    if (char === '[') {
      const bracket = translateBracket(pattern, at, isLines)
      source += bracket.source
      at = bracket.end
    } else if (char === '\\') {
      source += translateEscape(pattern.charAt(at + 1))
      at += 2
    } else if (char === '{' && !/^\{\d+(?:,\d*)?\}/.test(pattern.slice(at))) {
      source += '\\{'
      at++
    } else {
      source +=
        char === '}' && !/\{\d+(?:,\d*)?$/.test(source) ? '\\}' : char === '/' ? '\\/' : char
      at++
    }
  }
  return source
}

/** In a basic expression `\( \) \{ \} \| \+ \?` are operators, and without backslash they are text. */
function translateBasic(pattern: string, isLines: boolean): string {
  let source = ''
  for (let at = 0; at < pattern.length;) {
    const char = pattern.charAt(at)
    const next = pattern.charAt(at + 1)
    if (char === '[') {
      const bracket = translateBracket(pattern, at, isLines)
      source += bracket.source
      at = bracket.end
    } else if (char === '\\') {
      source += '(){}|+?'.includes(next) && next !== '' ? next : translateEscape(next)
      at += 2
    } else if (char === '*' && (source === '' || /(?:^|[(|])\^?$/.test(source))) {
      source += '\\*'
      at++
    } else {
      source += '(){}|+?/'.includes(char) ? `\\${char}` : char
      at++
    }
  }
  return source
}

function translateEscape(char: string): string {
  if (char === '') throw new SyntaxError('Trailing backslash')
  if (char === '<') return '\\b(?=\\w)'
  if (char === '>') return '\\b(?<=\\w)'
  if (char === '`') return '(?<![\\s\\S])'
  if (char === "'") return '(?![\\s\\S])'
  if (/[wWsSbB1-9]/.test(char)) return `\\${char}`
  return /[A-Za-z0-9_]/.test(char) ? char : `\\${char}`
}

/** From `[` to its `]`. */
export function translateBracket(
  pattern: string,
  start: number,
  isLines = false,
): { source: string; end: number } {
  let at = start + 1
  let inside = ''
  const isNegated = pattern.charAt(at) === '^'
  if (isNegated) at++
  const first = at
  while (at < pattern.length && (pattern.charAt(at) !== ']' || at === first)) {
    const char = pattern.charAt(at)
    const named = /^\[([:.=])(.*?)\1\]/.exec(pattern.slice(at))
    if (char === '[' && named) {
      const [all = '', kind = '', name = ''] = named
      const known = kind === ':' ? CLASSES.get(name) : escapeInside(name)
      if (known === undefined) throw new SyntaxError('Invalid character class name')
      inside += known
      at += all.length
    } else {
      inside += char === '-' ? dash(pattern, at, first) : escapeInside(char)
      at++
    }
  }
  if (at >= pattern.length) throw new SyntaxError('Unmatched [, [^, [:, [., or [=')
  // With lines on, a negated list does not match the line feed (regex(3) REG_NEWLINE).
  const extra = isNegated && isLines ? '\\n' : ''
  return { source: `[${isNegated ? '^' : ''}${inside}${extra}]`, end: at + 1 }
}

/** `-` is a range, except first and last. */
function dash(pattern: string, at: number, first: number): string {
  return at === first || pattern.charAt(at + 1) === ']' ? '\\-' : '-'
}

function escapeInside(text: string): string {
  return text.replace(/[\\\]^[]/g, '\\$&')
}

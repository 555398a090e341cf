/**
 * posix-bracket - the bracket expressions of POSIX, as classes of JavaScript
 *
 * A backslash is literal, `]` may come first, and there are `[:alnum:]`, `[.x.]` and `[=x=]`. Source: POSIX.1-2017 9.3.5.
 */
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

const UNMATCHED = 'Unmatched [, [^, [:, [., or [='

/** The inside of a class of JavaScript for `alnum` and the like. */
export function characterClass(name: string): string | undefined {
  return CLASSES.get(name)
}

interface Item {
  readonly source: string
  readonly end: number
  /** A single character, which may bound a range. */
  readonly char: string | undefined
}

/**
 * From `[` to its `]`.
 * @param isLines a negated list does not match the line feed (regex(3) REG_NEWLINE)
 * @throws {SyntaxError} in the words of regerror(3)
 */
export function translateBracket(
  pattern: string,
  start: number,
  isLines = false,
): { source: string; end: number } {
  if (start + 1 >= pattern.length) throw new SyntaxError('Invalid regular expression')
  let at = start + 1
  let inside = ''
  const isNegated = pattern.charAt(at) === '^'
  if (isNegated) at++
  const first = at
  while (at === first || pattern.charAt(at) !== ']') {
    const low = readItem(pattern, at)
    const isRange = pattern.charAt(low.end) === '-' && pattern.charAt(low.end + 1) !== ']'
    if (!isRange) {
      inside += low.source
      at = low.end
      continue
    }
    if (pattern.charAt(at) === '-' && at !== first) throw new SyntaxError('Invalid range end')
    const high = readItem(pattern, low.end + 1)
    if (low.char === undefined || high.char === undefined || low.char > high.char) {
      throw new SyntaxError('Invalid range end')
    }
    inside += `${low.source}-${high.source}`
    at = high.end
    const isChain = pattern.charAt(at) === '-' && pattern.charAt(at + 1) !== ']'
    if (isChain) throw new SyntaxError('Invalid range end')
  }
  const extra = isNegated && isLines ? '\\n' : ''
  return { source: `[${isNegated ? '^' : ''}${inside}${extra}]`, end: at + 1 }
}

function readItem(pattern: string, at: number): Item {
  const char = pattern.charAt(at)
  if (char === '') throw new SyntaxError(UNMATCHED)
  const kind = pattern.charAt(at + 1)
  if (char !== '[' || kind === '' || !':.='.includes(kind)) {
    return { source: escapeInside(char), end: at + 1, char }
  }
  const close = pattern.indexOf(`${kind}]`, at + 2)
  if (close < 0) throw new SyntaxError(UNMATCHED)
  const name = pattern.slice(at + 2, close)
  const end = close + 2
  if (kind === ':') {
    const source = CLASSES.get(name)
    if (source === undefined) throw new SyntaxError('Invalid character class name')
    return { source, end, char: undefined }
  }
  if (name.length !== 1) throw new SyntaxError('Invalid collation character')
  return { source: escapeInside(name), end, char: kind === '.' ? name : undefined }
}

function escapeInside(text: string): string {
  return text.replace(/[\\\]^[-]/g, '\\$&')
}
